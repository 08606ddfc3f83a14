"""The trace of the moment: opentelemetry-api's current span, else this package's own context.

``opentelemetry`` is never imported here: where nobody else has imported it, it has no span.
"""

from __future__ import annotations

import sys
from typing import Any

from otel_stdlib.record.context import SpanContext, current_context

__all__ = ["current_span", "otel_fragment"]

_MODULE = "opentelemetry.trace"
_CACHE_SIZE = 256
_modules = sys.modules

# opentelemetry-api's span contexts are immutable, and what they are here is kept: the last one by
# identity, with its correlation id, some more by value. Both are only replaced or added to, so a
# torn read between threads is impossible and a lost update costs one more look-up.
_last: tuple[Any, str, SpanContext | None] = (None, "", None)
_known: dict[tuple[int, int, int, str, str, bool], SpanContext] = {}


def otel_fragment() -> bytes | None:
    """The line's trace members for opentelemetry-api's current span; None without a valid one."""
    try:
        found = _modules[_MODULE].get_current_span().get_span_context()
        original, _, context = _last
        if found is not original:
            context = _remember(found, "")
    except Exception:  # not there, half imported, blocked, or a span of someone else's making
        return None
    return None if context is None else context.fragment


def current_span() -> SpanContext | None:
    """The current trace and correlation id as one value, or None.

    With a span of opentelemetry-api the correlation id is still this package's own.
    """
    own = current_context()
    if _MODULE not in _modules:
        return own
    try:
        found = _modules[_MODULE].get_current_span().get_span_context()
        original, correlation_id, context = _last
        wanted = "" if own is None else own.correlation_id
        if found is not original or correlation_id != wanted:
            context = _remember(found, wanted)
    except Exception:  # as above
        return own
    return own if context is None else context


def _remember(found: Any, correlation_id: str) -> SpanContext | None:
    global _last
    context = None
    if found.is_valid:
        flags = int(found.trace_flags) & 0xFF
        state = found.trace_state.to_header() if found.trace_state else ""
        key = (found.trace_id, found.span_id, flags, state, correlation_id, bool(found.is_remote))
        context = _known.get(key)
        if context is None:
            context = SpanContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", f"{flags:02x}", *key[3:])
            if len(_known) >= _CACHE_SIZE:
                _known.clear()
            _known[key] = context
    _last = (found, correlation_id, context)
    return context
