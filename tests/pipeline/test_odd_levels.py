"""Records whose level is no number: made by hand, or sent by another program."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler

_LEVELS: list[tuple[dict[str, Any], int, str]] = [
    ({"levelno": None, "levelname": None}, 0, ""),
    ({"levelno": None, "levelname": "WARNING"}, 13, "WARNING"),
    ({"levelno": "20", "levelname": "INFO"}, 9, "INFO"),
    ({"levelno": [], "levelname": []}, 0, "[]"),
    ({"levelno": 30.5, "levelname": "30.5"}, 0, "30.5"),
    ({"levelno": Decimal(40), "levelname": "ERROR"}, 17, "ERROR"),
    ({"levelno": 1 << 40, "levelname": "far"}, 24, "far"),
    ({"levelno": True, "levelname": "x"}, 1, "x"),
]


@pytest.mark.parametrize(("fields", "number", "text"), _LEVELS)
@pytest.mark.parametrize("is_queue", [False, True])
@pytest.mark.parametrize("test", [None, lambda _: True])
def test_it_is_a_line(
    fields: dict[str, Any],
    number: int,
    text: str,
    is_queue: bool,
    test: Callable[[logging.LogRecord], bool] | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the level that its name has, where it has one; nothing is raised or counted as lost."""
    file = JSONLFileHandler(tmp_path / "a.jsonl")
    handler = OTelQueueHandler(handlers=[file]) if is_queue else file
    if test is not None:
        file.addFilter(test)
    for body in ("first", "second"):
        assert handler.handle(logging.makeLogRecord({"msg": body, **fields}))
    assert handler.stop(30)
    assert {} == handler.health()["dropped"]
    assert "Error" not in capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(each, number, text) for each in ("first", "second")] == [
        (line["body"], line["severity_number"], line["severity_text"]) for line in lines
    ]


def test_the_level_of_a_handler(tmp_path: Path) -> None:
    """One without any level is NOTSET: a handler that wants at least DEBUG does not want it."""
    file = JSONLFileHandler(tmp_path / "a.jsonl", level="DEBUG")
    handler = OTelQueueHandler(handlers=[file])
    for fields in ({"levelno": None, "levelname": None}, {"levelno": None, "levelname": "INFO"}):
        handler.handle(logging.makeLogRecord({"msg": str(fields["levelname"]), **fields}))
    assert handler.stop(30)
    [line] = (tmp_path / "a.jsonl").read_text().splitlines()
    assert "INFO" == json.loads(line)["body"]
