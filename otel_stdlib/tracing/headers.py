"""The trace in and out of HTTP headers and message headers: W3C Trace Context and a correlation id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from otel_stdlib.record.context import SpanContext
from otel_stdlib.record.current import current_span
from otel_stdlib.record.traceparent import format_traceparent, parse_traceparent

__all__ = ["CORRELATION_HEADERS", "extract_headers", "inject_headers"]

#: Where a correlation id comes from: the first of these that is there. It goes out as the first one.
CORRELATION_HEADERS = ("x-correlation-id", "x-request-id")
_MAX_CORRELATION = 256


def inject_headers(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Put the current trace and correlation id into ``headers``, or into a new dictionary.

    ``traceparent`` and ``tracestate`` are set where there is a span; nothing is set otherwise.
    """
    found: MutableMapping[str, str] = {} if headers is None else headers
    context = current_span()
    if context is None:
        return found
    traceparent = format_traceparent(context)
    if traceparent is not None:
        found["traceparent"] = traceparent
        if context.tracestate:
            found["tracestate"] = context.tracestate
    if context.correlation_id and context.correlation_id.isprintable() and context.correlation_id.isascii():
        found[CORRELATION_HEADERS[0]] = context.correlation_id
    return found


def extract_headers(
    headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
) -> SpanContext | None:
    """The context that a caller sent, to be attached; None when it sent nothing valid.

    Args:
        headers: a mapping, or pairs as ASGI, Kafka and others have them; text or bytes, any case.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        key = _text(name).lower()
        if key == "tracestate" and key in found:
            found[key] += f",{_text(value)}"  # section 3.3.1.1: several headers are one list
        elif key in found and key == "traceparent":
            found[key] = ""  # section 3.2: more than one is invalid
        else:
            found.setdefault(key, _text(value))
    correlation = next((found[name] for name in CORRELATION_HEADERS if found.get(name)), "")
    correlation = correlation.strip()[:_MAX_CORRELATION]
    if not correlation.isprintable():
        correlation = ""
    context = parse_traceparent(found.get("traceparent"), found.get("tracestate", ""), correlation)
    if context is None and correlation:
        return SpanContext(correlation_id=correlation, is_remote=True)
    return context


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else str(value)
