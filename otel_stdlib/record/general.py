"""The careful encoder: any record at all as a bounded, valid open line.

The fast path of ``LineEncoder`` hands over whatever is not ordinary. Nothing here trusts a
value; what goes wrong is written into the record as an attribute, never raised.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.severity import level_of, severity_number, severity_range_name
from otel_stdlib.record import agents
from otel_stdlib.record.callsite import is_delivery_thread, site_attributes
from otel_stdlib.record.context import current_context
from otel_stdlib.record.current import otel_fragment
from otel_stdlib.record.exceptions import bounded_stacktrace, exception_attributes
from otel_stdlib.record.lift import BASE_KEYS, MESSAGE_KEYS, OWN_ATTRIBUTES, lift
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.plain import KEY_LENGTH, PLAIN_OPTIONS, is_plain, keys_fit
from otel_stdlib.record.stamp import split_time
from otel_stdlib.record.values import Normaliser, safe_text, valid_text

__all__ = ["TRUNCATED", "GeneralEncoder"]

#: How many values of a record were cut.
TRUNCATED = "otel_stdlib.truncated_values"
#: Why ``msg % args`` failed; the body is then the template.
FORMAT_ERROR = "otel_stdlib.format_error"
FORMAT_ARGS = "otel_stdlib.format_args"
ENCODE_ERROR = "otel_stdlib.encode_error"
_NAME_LENGTH = 1_024
_SHRINK = (1, 4, 16, 64, 256)

Encoded = tuple[bytes, int, int]
#: Head, middle, severity number, and the attributes in the middle: see ``LineEncoder``.
Site = tuple[bytes, bytes, int, dict[str, Any]]


class GeneralEncoder:
    """Encodes any record. Any thread may call it."""

    __slots__ = ("_default", "_limits", "_short", "base_wanted", "guard", "reserved", "static")

    def __init__(
        self,
        limits: Limits,
        json_default: Callable[[Any], Any] | None,
        reserved_attrs: Iterable[str] | None,
        static_attributes: Mapping[str, Any] | None,
        severity_text: str,
        guard: bool,
    ) -> None:
        if severity_text not in ("source", "short"):
            raise ConfigError(
                f"'severity_text' must be 'source' or 'short', not {severity_text!r}", option="severity_text"
            )
        if json_default is not None and not callable(json_default):
            raise ConfigError("'json_default' must be callable", option="json_default")
        self._limits = limits
        self._default = json_default
        self._short = severity_text == "short"
        self.guard = guard
        reserved = _names(reserved_attrs)
        base = frozenset(BASE_KEYS)
        self.base_wanted = frozenset() if reserved is None else base - reserved
        self.reserved = frozenset() if reserved is None else reserved - base - MESSAGE_KEYS
        clean = Normaliser(limits, json_default)
        self.static: dict[str, Any] = {
            clean.key(name): clean.value(value) for name, value in (static_attributes or {}).items()
        }

    def encode(self, record: logging.LogRecord, site: Site | None = None) -> Encoded | None:
        """As ``LineEncoder.encode``; ``site`` is what is known of the call site already."""
        try:
            if site is None and self.guard and is_delivery_thread(record):
                return None
            return self._encode(record, self.site(record) if site is None else site[3])
        except Exception as error:
            return _minimal(record, error)

    def body(self, record: logging.LogRecord) -> bytes:
        """The body as JSON where nothing about the record needs a note; else b""."""
        message: Any = record.msg
        if tuple(record.__dict__)[: len(BASE_KEYS)] != BASE_KEYS or isinstance(message, BaseException):
            return b""
        if type(message) is dict and is_plain(message):
            body = orjson.dumps(message, None, PLAIN_OPTIONS)
            size = len(body)
            if size <= self._limits.body_length and (size <= KEY_LENGTH or keys_fit(message)):
                return body
        notes: dict[str, Any] = {}
        normaliser = Normaliser(self._limits, self._default)
        value = self._body(record, normaliser, notes)
        return b"" if notes or normaliser.truncated else orjson.dumps(value)

    def attributes(self, extras: dict[Any, Any]) -> tuple[bytes, bytes]:
        """Extras of any type as members, each with its comma, and the count of dropped ones."""
        extras = agents.without_methods(extras)
        if not extras:
            return b"", b""
        normaliser = Normaliser(self._limits, self._default)
        dropped = len(extras) - self._limits.attribute_count
        kept = normaliser.attributes(extras)
        if normaliser.truncated:
            kept[TRUNCATED] = normaliser.truncated
        count = b'"otel.dropped_attributes_count":%d,' % dropped if dropped > 0 else b""
        return orjson.dumps(kept)[1:-1] + b",", count

    def site(self, record: logging.LogRecord) -> dict[str, Any]:
        """The attributes that are fixed per call site."""
        return {**_bounded(site_attributes(record)), **self.static}

    def scope(self, record: logging.LogRecord) -> dict[str, str]:
        """The instrumentation scope: the logger."""
        return {"name": _name(record.name)}

    def severity(self, record: logging.LogRecord) -> tuple[str, int]:
        """The level's text and OpenTelemetry number."""
        number = severity_number(level_of(record))
        text = severity_range_name(number) if self._short and number else _level_name(record)
        return text, number

    def exception(self, record: logging.LogRecord) -> bytes:
        """``exception.*`` and ``code.stacktrace`` as members, each with its comma."""
        normaliser = Normaliser(self._limits, self._default)
        attributes: dict[str, Any] = self._exception(record, normaliser)
        if normaliser.truncated:
            attributes[TRUNCATED] = normaliser.truncated
        return orjson.dumps(attributes)[1:-1] + b"," if attributes else b""

    def _exception(self, record: logging.LogRecord, normaliser: Normaliser) -> dict[str, Any]:
        limits = self._limits
        found = exception_attributes(record.exc_info, record.exc_text, limits)
        event = None if found else agents.event_of(record)
        if event is not None:
            found = exception_attributes(event.get("exc_info"), event.get("exception"), limits)
        if not found and isinstance(record.msg, BaseException):
            found = exception_attributes(record.msg, None, limits)
        if record.stack_info:
            found["code.stacktrace"] = safe_text(record.stack_info)
        length = limits.stacktrace_length
        for name in ("exception.stacktrace", "code.stacktrace"):
            if len(found.get(name, "")) > length:
                found[name] = bounded_stacktrace(found[name], length)
                normaliser.truncated += 1
        return {
            name: normaliser.text(text, length if name.endswith("stacktrace") else None)
            for name, text in found.items()
        }

    def _encode(self, record: logging.LogRecord, site: dict[str, Any]) -> Encoded:
        limits = self._limits
        severity_text, number = self.severity(record)
        timestamp, time_ns = split_time(record.created)
        head = orjson.dumps(
            {"timestamp": timestamp, "severity_text": severity_text, "severity_number": number}
        )
        for divisor in _SHRINK:
            normaliser = Normaliser(limits, self._default, budget=limits.total_bytes // 2 // divisor)
            line = head[:-1] + b"," + self._members(record, site, normaliser)
            if len(line) <= limits.total_bytes:
                return line, number, time_ns
        return _minimal(record, ValueError("the record is larger than any limit allows"))

    def _members(self, record: logging.LogRecord, site: dict[str, Any], normaliser: Normaliser) -> bytes:
        notes: dict[str, Any] = {}
        body = orjson.dumps(self._body(record, normaliser, notes))
        extras = agents.without_methods(self._extras(record))
        event = agents.event_of(record)
        if event is not None:
            for key in agents.STRUCTLOG_KEYS:
                extras.pop(key, None)
            extras.update(agents.event_attributes(event))
        own = extras.pop(OWN_ATTRIBUTES, None)
        lifted = lift(extras)
        if type(own) is dict:
            extras.update(own)
        context = current_context()
        trace = lifted.trace
        if trace is None:
            trace = otel_fragment()
        if trace is None:
            trace = context.fragment if context is not None else b""
        trace = trace or agents.take_agent_trace(extras)
        agents.drop_empty(extras)
        correlation = lifted.correlation_id
        if correlation is None and context is not None:
            correlation = context.correlation_id

        # What comes later wins: the caller's attributes over derived ones.
        attributes = dict(site)
        task = record.__dict__.get("taskName") if "taskName" in BASE_KEYS else None
        if task is not None:
            attributes["asyncio.task.name"] = _name(task)
        if correlation:
            attributes["correlation_id"] = normaliser.text(correlation)
        attributes.update(self._exception(record, normaliser))
        attributes.update(normaliser.attributes(extras))
        attributes.update(notes)
        if normaliser.truncated:
            attributes[TRUNCATED] = normaliser.truncated

        after: dict[str, Any] = {"event_name": valid_text(lifted.event_name)} if lifted.event_name else {}
        after["scope"] = self.scope(record)
        dropped = len(extras) - self._limits.attribute_count
        if dropped > 0:
            after["otel.dropped_attributes_count"] = dropped
        after["attributes"] = attributes
        tail = orjson.dumps(after)[1:-2]
        return b'"body":' + body + b"," + trace + tail + (b"," if attributes else b"")

    def _body(self, record: logging.LogRecord, normaliser: Normaliser, notes: dict[str, Any]) -> Any:
        message: Any = record.msg
        event, own_message = agents.event_of(record), agents.own_message(record)
        if event is not None:
            return normaliser.body(event["event"])
        if issubclass(type(message), dict) and own_message is None:
            return normaliser.body(message)
        try:
            if own_message is not None:
                text = own_message()
            elif type(record).getMessage is not logging.LogRecord.getMessage or isinstance(message, str):
                text = record.getMessage()
            else:
                text = safe_text(message)
                if record.args:
                    text = text % record.args
            text = str.__str__(text)
        except Exception as error:
            notes[FORMAT_ERROR] = normaliser.text(f"{type(error).__name__}: {safe_text(error)}", _NAME_LENGTH)
            notes[FORMAT_ARGS] = normaliser.value(record.args)
            text = safe_text(message)
        return normaliser.text(text, self._limits.body_length)

    def _extras(self, record: logging.LogRecord) -> dict[Any, Any]:
        fields = record.__dict__
        wanted, reserved = self.base_wanted, self.reserved
        return {
            key: fields[key]
            for key in list(fields)
            if (key in wanted if key in _BASE else key not in reserved) and key in fields
        }


_BASE = frozenset(BASE_KEYS)


def _names(reserved: Iterable[str] | None) -> frozenset[str] | None:
    if reserved is None:
        return None
    if isinstance(reserved, str) or not all(isinstance(name, str) for name in reserved):
        raise ConfigError("'reserved_attrs' must be a list of names", option="reserved_attrs")
    return frozenset(reserved)


def _name(value: object) -> str:
    """A short text: a logger's, level's or thread's name."""
    return valid_text(safe_text(value)[:_NAME_LENGTH])


def _bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if type(value) is int and -(1 << 63) <= value < 1 << 63 else _name(value)
        for name, value in attributes.items()
    }


def _level_name(record: logging.LogRecord) -> str:
    name: object = record.levelname
    return "" if name is None else _name(name)


def _minimal(record: Any, error: Exception) -> Encoded:
    """The last resort: a line that says which record could not be written, and why."""
    timestamp, time_ns = split_time(getattr(record, "created", None))
    try:
        body = _name(record.msg) if type(record.msg) is str else f"<{type(record.msg).__name__}>"
        number = severity_number(level_of(record))
        name, level = _name(record.name), _level_name(record)
        reason = _name(f"{type(error).__name__}: {safe_text(error)}")
    except Exception:
        body, number, name, level, reason = "", 0, "", "", "the record cannot be read"
    line = orjson.dumps(
        {
            "timestamp": timestamp,
            "severity_text": level,
            "severity_number": number,
            "body": body,
            "scope": {"name": name},
            "attributes": {ENCODE_ERROR: reason},
        }
    )
    return line[:-2] + b",", number, time_ns
