"""The trace on the record itself, for formats such as ``%(trace_id)s``."""

from __future__ import annotations

import logging

from otel_stdlib.record.current import current_span

__all__ = ["TraceContextFilter"]


class TraceContextFilter(logging.Filter):
    """Puts ``trace_id``, ``span_id``, ``trace_flags`` and ``correlation_id`` on each record.

    From ``opentelemetry-api``'s current span where that package is in use and has one, else from
    this package's own context. They are taken when the call is made, on the caller's thread, so
    they stay right behind any queue. What a record already has stays as it is.

    ``OTelFormatter`` and ``OTelQueueHandler`` find the trace by themselves and need no filter.

    Args:
        name: as for ``logging.Filter``: only records of this logger and below pass.
        default: what stands there without a trace.
    """

    def __init__(self, name: str = "", *, default: str = "") -> None:
        super().__init__(name)
        self.default = default
        self._empty = dict.fromkeys(("trace_id", "span_id", "trace_flags", "correlation_id"), default)

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the fields on the record; False only for loggers outside of ``name``. Never raises."""
        if self.nlen and not super().filter(record):
            return False
        context = current_span()
        fields = record.__dict__
        if context is None:
            found = self._empty
        else:
            found = context.fields
            if self.default:
                found = {name: value or self.default for name, value in found.items()}
        if "trace_id" in fields or "correlation_id" in fields:
            found = {name: value for name, value in found.items() if name not in fields}
        fields.update(found)
        return True
