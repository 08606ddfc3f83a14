"""What the tests of tracing share: records caught as lines, a tracer provider that comes and goes."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from otel_stdlib.record.context import current_context
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.line import load_line

__all__ = ["NOWHERE", "Lines", "span_id"]

NOWHERE = b"{}"


def span_id() -> str:
    """The current span's id, or nothing."""
    context = current_context()
    return context.span_id if context is not None else ""


class Lines(logging.Handler):
    """Encodes each record when it is logged, as the queue handler does, and keeps the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self._encode = LineEncoder().encode

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record; asyncio's own of each new loop are left out."""
        if record.name == "asyncio":
            return
        encoded = self._encode(record)
        assert encoded is not None
        self.lines.append(load_line(encoded[0], b"uid", NOWHERE))

    @property
    def bodies(self) -> list[Any]:
        """What was logged, in order."""
        return [line["body"] for line in self.lines]

    def find(self, body: str) -> dict[str, Any]:
        """The one line with this body."""
        (line,) = [line for line in self.lines if line["body"] == body]
        return line

    def __repr__(self) -> str:
        return orjson.dumps(self.lines, option=orjson.OPT_INDENT_2).decode()
