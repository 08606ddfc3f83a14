"""User code that the type checker reads: the public names as applications spell them."""

from __future__ import annotations

import logging
import logging.handlers

from otel_stdlib import (
    ConfigError,
    OTelFormatter,
    OTelQueueHandler,
    OTelQueueListener,
    SpanContext,
    attach,
    current_context,
    detach,
    parse_traceparent,
)
from otel_stdlib.filters import TraceContextFilter
from otel_stdlib.handlers import JSONLFileHandler


def configure() -> logging.handlers.QueueHandler:
    """A pipeline made by hand: every part is what the standard library calls it."""
    file: logging.Handler = JSONLFileHandler(filename="app.jsonl", max_bytes=1 << 20, backup_count=3)
    file.setFormatter(OTelFormatter())
    queue = OTelQueueHandler(handlers=[file], spool={"max_bytes": 1 << 30}, shutdown_timeout=2.5)
    queue.addFilter(TraceContextFilter())
    delivered: bool = queue.flush(timeout=1.0)
    stopped: bool = queue.stop(1.0)
    assert delivered
    assert stopped
    return queue


def trace(header: str) -> str:
    """The trace of a header for as long as a call lasts."""
    context: SpanContext | None = parse_traceparent(header)
    token = attach(context)
    try:
        current = current_context()
        return current.trace_id if current is not None else ""
    finally:
        detach(token)


def explain(error: ConfigError) -> str | None:
    """The name of the option at fault."""
    return error.option


listener_type: type[logging.handlers.QueueListener] = OTelQueueListener
