"""What other packages put on records: structlog's event dictionary, agents' trace ids, methods.

structlog's ``ProcessorFormatter.wrap_for_formatter`` makes the event dictionary the record's ``msg`` and adds
``_logger`` and ``_name``. Datadog's tracer writes ``dd.trace_id`` (32 hex digits, or 64 bits as a decimal number) and
``dd.span_id`` (decimal), Elastic APM ``elasticapm_trace_id``, ``elasticapm_transaction_id`` and ``elasticapm_span_id``.
New Relic sets a ``getMessage`` on the record itself.
"""

from __future__ import annotations

import logging
import re
from types import MethodType
from typing import Any

from otel_stdlib.record.context import trace_fragment

__all__ = [
    "AGENT_KEYS",
    "STRUCTLOG_KEYS",
    "drop_empty",
    "event_attributes",
    "event_of",
    "own_message",
    "take_agent_trace",
    "without_methods",
]

_DATADOG = ("dd.trace_id", "dd.span_id")
_ELASTIC = ("elasticapm_trace_id", "elasticapm_transaction_id", "elasticapm_span_id")
STRUCTLOG_KEYS = ("_logger", "_name")
_MESSAGE = "getMessage"
#: Names by which a record is known to carry something of these packages.
AGENT_KEYS = frozenset((*_DATADOG, *_ELASTIC, *STRUCTLOG_KEYS, _MESSAGE))
#: Names that agents set on every record, with or without a value.
_OFTEN_EMPTY = (
    *_DATADOG,
    "dd.service",
    "dd.env",
    "dd.version",
    *_ELASTIC,
    "elasticapm_service_name",
    "elasticapm_service_environment",
    "elasticapm_labels",
)
#: In an event dictionary, but no attribute: the text, and what ``logging`` has arguments for.
_NOT_ATTRIBUTES = ("event", "exc_info", "exception", "stack_info")
_HEX_TRACE, _HEX_SPAN = re.compile(r"[0-9a-fA-F]{32}\Z"), re.compile(r"[0-9a-fA-F]{16}\Z")
_DECIMAL = re.compile(r"[0-9]{1,20}\Z")


def own_message(record: logging.LogRecord) -> Any:
    """The ``getMessage`` that was set on this very record; None: it has none."""
    found = record.__dict__.get(_MESSAGE)
    return found if callable(found) else None


def event_of(record: logging.LogRecord) -> dict[Any, Any] | None:
    """Structlog's event dictionary, where it is the record's message."""
    fields: dict[str, Any] = record.__dict__
    message: Any = record.msg
    if isinstance(message, dict) and "event" in message and all(key in fields for key in STRUCTLOG_KEYS):
        return message
    return None


def event_attributes(event: dict[Any, Any]) -> dict[Any, Any]:
    """What of an event dictionary becomes attributes."""
    return {key: value for key, value in event.items() if key not in _NOT_ATTRIBUTES}


def without_methods(extras: dict[Any, Any]) -> dict[Any, Any]:
    """The attributes of a record without methods, which agents put there to be called."""
    return {key: value for key, value in extras.items() if type(value) is not MethodType and key != _MESSAGE}


def drop_empty(extras: dict[Any, Any]) -> None:
    """Take off what agents set on records that have no trace, service or version."""
    for key in _OFTEN_EMPTY:
        if key in extras and (not extras[key] or extras[key] == "0"):
            del extras[key]


def take_agent_trace(extras: dict[Any, Any]) -> bytes:
    """The trace members of a line from an agent's ids, which are taken off ``extras``; b"" for none."""
    keys: tuple[str, ...] = _DATADOG
    trace, span = _hex_or_decimal(extras), _decimal(extras.get(_DATADOG[1]), 16)
    if not trace:
        trace = _hex(extras.get(_ELASTIC[0]), _HEX_TRACE)
        span = _hex(extras.get(_ELASTIC[2]), _HEX_SPAN) or _hex(extras.get(_ELASTIC[1]), _HEX_SPAN)
        keys = _ELASTIC
    if not trace:
        return b""
    for key in keys:
        extras.pop(key, None)
    return trace_fragment(trace, span, "00")


def _hex_or_decimal(extras: dict[Any, Any]) -> str:
    value = extras.get(_DATADOG[0])
    return _hex(value, _HEX_TRACE) or _decimal(value, 32)


def _hex(value: object, pattern: re.Pattern[str]) -> str:
    return value.lower() if type(value) is str and pattern.match(value) and int(value, 16) else ""


def _decimal(value: object, digits: int) -> str:
    text = str(value) if type(value) in (str, int) else ""
    number = int(text) if _DECIMAL.match(text) else 0
    return f"{number:0{digits}x}" if 0 < number < 1 << 64 else ""
