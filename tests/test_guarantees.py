"""The documents of the guarantees and of health say what is there."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler

ROOT = Path(__file__).parents[1]
_NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)*)`", (ROOT / "docs/guarantees.md").read_text("utf-8")))
)


@pytest.mark.parametrize("name", _NAMED)
def test_every_test_that_the_guarantees_name_exists(name: str) -> None:
    """A promise without its test is none."""
    path, *parts = name.split("::")
    body = ast.parse((ROOT / path).read_text("utf-8")).body
    for part in parts:
        found = [
            node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == part
        ]
        assert found, f"{part} is not in {path}"
        body = found[0].body


def test_every_key_of_a_report_is_documented(tmp_path: Path) -> None:
    """And every documented key is in a report, but for those that say when they are not."""
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/health.md").read_text("utf-8"), re.MULTILINE))
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(filename=str(tmp_path / "app.jsonl"))],
        spool={"directory": str(tmp_path / "spool")},
    )
    handler.handle(logging.makeLogRecord({"msg": "one", "levelno": 20, "levelname": "INFO"}))
    assert handler.flush(60)
    report = handler.health()
    keys = {*report, *report["destinations"]["jsonl"]}
    assert handler.stop(30)
    assert keys - documented == set()
    assert documented - keys <= {"counts", "kind", "lost_options", "redaction"}
