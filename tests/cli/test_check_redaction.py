"""``otel-stdlib check`` refuses redaction where it would hide nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from otel_stdlib.cli.check import check

_YAML = """version: 1
filters:
  hide: {(): logging.Filter}
  Redactor: {(): logging.Filter}
handlers:
  file: {class: otel_stdlib.handlers.JSONLFileHandler, filename: $OUT/a.jsonl$BEHIND}
  queue: {(): otel_stdlib.OTelQueueHandler, handlers: [file]$FRONT}
root: {level: INFO, handlers: [queue]$ROOT}
loggers:
  shop: {level: INFO$SHOP}
"""


def problems(folder: Path, **parts: str) -> list[str]:
    """What is wrong with the configuration."""
    text = _YAML.replace("$OUT", str(folder))
    for name in ("BEHIND", "FRONT", "ROOT", "SHOP"):
        text = text.replace(f"${name}", parts.get(name, ""))
    path = folder / "logging.yaml"
    path.write_text(text, encoding="utf-8")
    return [str(problem).replace(str(path), "") for problem in check(str(path))[0]]


def test_where_it_belongs(tmp_path: Path) -> None:
    """On the queue handler, and filters on handlers."""
    assert [] == problems(tmp_path, FRONT=", redaction: true, filters: [Redactor]", SHOP=", filters: [hide]")


def test_behind_a_queue_handler(tmp_path: Path) -> None:
    """Records are stored before they come there."""
    (found,) = problems(tmp_path, BEHIND=", redaction: true")
    assert found.startswith(":6:")
    assert "handlers.file.redaction" in found
    assert (
        "has no effect behind 'queue', which stores records before they come here. Move it to handlers.queue"
        in found
    )


@pytest.mark.parametrize(("place", "line"), [("ROOT", 8), ("SHOP", 10)])
def test_a_redacting_filter_on_a_logger(tmp_path: Path, place: str, line: int) -> None:
    """Records of child loggers pass it by."""
    (found,) = problems(tmp_path, **{place: ", filters: [Redactor]"})
    assert found.startswith(f":{line}:")
    assert "the filter 'Redactor' would hide nothing in the records of the loggers below" in found
    assert "set 'redaction' on OTelQueueHandler" in found


needs_re2 = pytest.mark.skipif(sys.version_info >= (3, 15), reason="there is no google-re2 for this Python")


@pytest.mark.parametrize(
    ("redaction", "message"),
    [
        ("{maks: x}", "unknown option 'maks'; did you mean 'mask'?"),
        ("{values: [githb]}", "did you mean 'github'?"),
        ("{custom: [{name: x, pattern: '('}]}", "the pattern '(' is refused"),
        ("{custom: [{name: x, pattern: '(a+)+b'}], engine: re}", "nested quantifiers"),
        pytest.param(
            "{gitleaks: /nowhere/rules.toml}", "/nowhere/rules.toml: it cannot be read", marks=needs_re2
        ),
        ("{max_scan: 1}", "must be at least 256"),
        ("yes please", "must be true or false"),
    ],
)
def test_wrong_options_have_their_place(tmp_path: Path, redaction: str, message: str) -> None:
    """File, line and option."""
    found = problems(tmp_path, FRONT=f", redaction: {redaction}")
    assert all(each.startswith(":7:") and "handlers.queue.redaction" in each for each in found)
    assert any(message in each for each in found), found
