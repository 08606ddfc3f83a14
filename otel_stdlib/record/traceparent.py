"""W3C Trace Context: the ``traceparent`` and ``tracestate`` headers.

Source: W3C Recommendation "Trace Context", sections 3.2 and 3.3.
"""

from __future__ import annotations

import re

from otel_stdlib.record.context import SpanContext

__all__ = ["format_traceparent", "parse_traceparent"]

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z", re.DOTALL)
_MAX_STATE = 512


def parse_traceparent(
    traceparent: str | None, tracestate: str = "", correlation_id: str = ""
) -> SpanContext | None:
    """The remote context of a header; None when the header is absent or not valid.

    Hex digits must be lower case, ids not all zero, version ``ff`` is invalid, version ``00`` has
    exactly four fields, and later versions may have more. ``tracestate`` is kept to be passed on.
    """
    if not isinstance(traceparent, str):
        return None
    match = _HEADER.match(traceparent.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    state = tracestate if len(tracestate) <= _MAX_STATE else ""
    # Only the flags that version 00 knows are passed on (section 4.3).
    known = f"{int(flags, 16) & 0x03:02x}"
    return SpanContext(trace_id, span_id, known, state, correlation_id, is_remote=True)


def format_traceparent(context: SpanContext | None) -> str | None:
    """The header that hands ``context`` on; None without a trace and a span."""
    if context is None or not context.is_valid:
        return None
    return f"00-{context.trace_id}-{context.span_id}-{context.trace_flags}"
