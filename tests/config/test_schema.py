"""The published schema is the one that the options make, and it accepts what is documented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_stdlib.config.schema import load_schema, schema_text
from tests.config.test_translate import SEED
from tests.tree import ROOT

jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")


def test_the_published_file_is_current() -> None:
    """``otel_stdlib.config.schema.write_schema()`` writes it anew."""
    published = Path(ROOT, "otel_stdlib", "config", "schema.json").read_text(encoding="utf-8")
    assert json.loads(schema_text()) == json.loads(published)


def test_it_is_a_valid_schema() -> None:
    """Editors can use it."""
    jsonschema.Draft202012Validator.check_schema(load_schema())


@pytest.mark.parametrize(
    "text", [SEED, Path(ROOT, "logging.yaml").read_text(encoding="utf-8")], ids=["seed", "dict"]
)
def test_it_accepts_what_is_documented(text: str) -> None:
    """The seed's example and the package's own ``logging.yaml``, through the schema's front door."""
    jsonschema.Draft202012Validator(load_schema()).validate(yaml.safe_load(text))
