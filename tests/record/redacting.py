"""Records and encoders for the tests of redaction."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from otel_stdlib.facts.counters import Counters
from otel_stdlib.record.compiled import fastest_encode
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.redacting import RedactingEncoder
from otel_stdlib.redaction import Redaction

__all__ = ["attributes_of", "encoder", "line_of", "made"]


def encoder(redaction: Redaction | None = None, **options: Any) -> RedactingEncoder:
    """An encoder with the defaults, in C where it is built."""
    line = LineEncoder(**options)
    return RedactingEncoder(
        redaction or Redaction(), fastest_encode(line), Counters(), wants_base=bool(line.wants_base)
    )


def made(msg: Any, *args: Any, exc_info: Any = None, **extras: Any) -> logging.LogRecord:
    """A record."""
    record = logging.LogRecord("shop", logging.INFO, __file__, 7, msg, args, exc_info, "checkout")
    record.__dict__.update(extras)
    return record


def line_of(record: logging.LogRecord, with_: RedactingEncoder | None = None) -> dict[str, Any]:
    """The line of a record, read."""
    found = (with_ or encoder()).encode(record)
    assert found is not None
    payload = found[0]
    line: dict[str, Any] = orjson.loads((payload[:-1] if payload.endswith(b",") else payload) + b"}}")
    return line


def attributes_of(record: logging.LogRecord, with_: RedactingEncoder | None = None) -> dict[str, Any]:
    """The attributes without the call site's."""
    found = line_of(record, with_)["attributes"]
    return {key: value for key, value in found.items() if not key.startswith(("code.", "thread."))}
