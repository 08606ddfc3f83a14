"""What is kept from record to record is keyed by all that it depends on: two that differ are never mixed up."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

import pytest

from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import close

_BASE = {
    "name": "a",
    "msg": "x",
    "args": None,
    "levelno": 20,
    "levelname": "INFO",
    "pathname": "/src/a.py",
    "lineno": 1,
    "funcName": "f",
    "process": os.getpid(),
}


def record(**fields: Any) -> logging.LogRecord:
    """A record of this thread with some fields of its own."""
    return logging.makeLogRecord({**_BASE, **fields})


def line(encoder: LineEncoder, made: logging.LogRecord) -> dict[str, Any]:
    """Its line, without what differs from call to call."""
    encoded = encoder.encode(made)
    assert encoded is not None
    found = close(encoded[0])
    del found["timestamp"]
    return {**found, "number": encoded[1]}


_FIELDS = [
    ("pathname", "/src/a.py", "/src/b.py"),
    ("lineno", 1, 2),
    ("lineno", 1, 1.0),
    ("funcName", "f", "g"),
    ("levelno", 20, 30),
    ("levelno", 20, 20.0),
    ("levelname", "INFO", "NOTICE"),
    ("name", "a", "b"),
    ("thread", 1, 2),
    ("thread", threading.get_ident(), 2),
    ("threadName", "t", "u"),
    ("process", os.getpid(), os.getpid() + 1),
    ("processName", "MainProcess", "worker-1"),
    ("taskName", None, "task"),
    ("trace_flags", True, 1),
    ("trace_flags", "00", 0),
    ("trace_flags", 1, "01"),
    ("trace_id", "1" * 32, "0" * 32),
    ("span_id", "2" * 16, "3" * 16),
    ("correlation_id", "1", 1),
    ("correlation_id", 1, True),
    ("event.name", "e", "d"),
    ("created", 1.0, 2.0),
    ("created", 1.5, 1.25),
]


@pytest.mark.parametrize(("name", "first", "second"), _FIELDS)
def test_two_records_that_differ_in_one_field(name: str, first: object, second: object) -> None:
    """Each has the line that an encoder which has seen no other one writes, whichever comes first."""
    more = {"trace_id": "1" * 32, "span_id": "2" * 16} if name.startswith(("trace", "span")) else {}
    made = [record(**{**more, name: value}) for value in (first, second)]
    alone = [line(LineEncoder(), each) for each in made]
    for order in (made, made[::-1]):
        encoder = LineEncoder()
        for each in [*order, *order]:
            assert alone[made.index(each)] == line(encoder, each)


def test_the_name_of_a_level_changes() -> None:
    """``addLevelName`` counts for the next record of a call site."""
    logger = logging.getLogger("tests.memos")
    logger.propagate = False
    found: list[str] = []
    encoder = LineEncoder()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(line(encoder, record)["severity_text"])

    keep = Keep()
    logger.addHandler(keep)
    try:
        for name in ("ONE", "TWO", "ONE"):
            logging.addLevelName(33, name)
            logger.log(33, "x")
    finally:
        logger.removeHandler(keep)
        logging.addLevelName(33, "Level 33")
    assert ["ONE", "TWO", "ONE"] == found


def test_two_encoders_with_other_options() -> None:
    """What one keeps is its own."""
    plain, short = LineEncoder(), LineEncoder(severity_text="short", static_attributes={"team": "t"})
    for _ in range(2):
        assert "WARNING" == line(plain, record(levelno=30, levelname="WARNING"))["severity_text"]
        found = line(short, record(levelno=30, levelname="WARNING"))
        assert ("WARN", "t") == (found["severity_text"], found["attributes"]["team"])
