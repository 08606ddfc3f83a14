"""Attributes on a record that mean more than an attribute: trace ids and the event's name.

``TraceContextFilter`` of this package, the ``otelTraceID`` family of OpenTelemetry's logging
instrumentation, and callers themselves put them there. Only what is a valid id is taken;
anything else under these names stays an ordinary attribute.
"""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

from otel_stdlib.record.agents import AGENT_KEYS
from otel_stdlib.record.context import trace_fragment

__all__ = ["BASE_KEYS", "MESSAGE_KEYS", "OWN_ATTRIBUTES", "SPECIAL_KEYS", "Lifted", "lift"]

#: The attributes every record of this Python has, in their order.
BASE_KEYS = tuple(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
#: What formatters add to a record.
MESSAGE_KEYS = frozenset({"message", "asctime"})
#: A dictionary of attributes whose names a record has itself, such as ``name`` or ``message``.
OWN_ATTRIBUTES = "otel_stdlib.attributes"

_PLAIN = ("trace_id", "span_id", "trace_flags")
_OTEL = ("otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName")
_EVENT = ("event.name", "otel.event.name", "event_name")
#: Names that take a record off the encoder's fast path.
SPECIAL_KEYS = frozenset(
    {
        "",
        *MESSAGE_KEYS,
        *_PLAIN,
        "correlation_id",
        *_OTEL,
        *_EVENT,
        OWN_ATTRIBUTES,
        *AGENT_KEYS,
        "asyncio.task.name",
        "code.file.path",
        "code.function.name",
        "code.line.number",
        "code.stacktrace",
        "exception.message",
        "exception.stacktrace",
        "exception.type",
        "log.record.uid",
        "multiprocessing.process.name",
        "otel_stdlib.truncated_values",
        "process.pid",
        "thread.id",
        "thread.name",
    }
)

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}\Z")
_SPAN_ID = re.compile(r"[0-9a-fA-F]{16}\Z")
_FLAGS = re.compile(r"[0-9a-fA-F]{2}\Z")
#: What filters write where there is no trace.
_NOTHING = frozenset({"", "0", "-", "0" * 32, "0" * 16, "00"})
_MAX_EVENT_NAME = 256


class Lifted(NamedTuple):
    """What was taken from a record's attributes."""

    #: The line's trace members; b"" when the record says it has none; None when it says nothing.
    trace: bytes | None
    #: A text, "" for none; None when the record says nothing.
    correlation_id: str | None
    event_name: str


def lift(extras: dict[Any, Any]) -> Lifted:
    """Take from ``extras``, which is changed, what belongs elsewhere in the line."""
    for key in MESSAGE_KEYS:
        extras.pop(key, None)
    correlation = extras.get("correlation_id")
    if correlation is not None and type(correlation) is str:
        del extras["correlation_id"]
        correlation = "" if correlation in _NOTHING else correlation
    else:
        correlation = None
    trace = _take(extras, *_PLAIN)
    if not trace and _OTEL[0] in extras:
        trace = _take(extras, *_OTEL[:3]) or trace
    if _OTEL[0] not in extras:
        for key in _OTEL:
            extras.pop(key, None)
    return Lifted(trace, correlation, _event_name(extras))


def _take(extras: dict[Any, Any], trace_key: str, span_key: str, flags_key: str) -> bytes | None:
    if trace_key not in extras:
        return None
    trace, span, flags = extras[trace_key], extras.get(span_key, ""), extras.get(flags_key, "01")
    if isinstance(flags, (int, float)):  # True too: what was lifted is kept by value, and that is equal to 1
        flags = "01" if flags == 1 else "00"
    if not _is_id(trace, _TRACE_ID) or not _is_id(span, _SPAN_ID):
        return None
    for key in (trace_key, span_key, flags_key):
        extras.pop(key, None)
    if not trace or trace in _NOTHING:
        return b""
    span = "" if not span or span in _NOTHING else span.lower()
    flags = flags.lower() if type(flags) is str and _FLAGS.match(flags) else "00"
    return trace_fragment(trace.lower(), span, flags)


def _is_id(value: Any, pattern: re.Pattern[str]) -> bool:
    if value is None:
        return True
    return type(value) is str and (value in _NOTHING or pattern.match(value) is not None)


def _event_name(extras: dict[Any, Any]) -> str:
    for key in _EVENT:
        value = extras.get(key)
        if type(value) is str and 0 < len(value) <= _MAX_EVENT_NAME:
            del extras[key]
            return value
    return ""
