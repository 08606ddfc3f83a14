"""A log record as one open line of JSON. Runs on the application's thread in every log call.

``encode`` has one path for the ordinary record, laid out so that what is fixed per call site
is copied, not computed, and leaves it for ``GeneralEncoder`` where a record is anything else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import orjson

from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.memo import keep
from otel_stdlib.record.callsite import is_delivery_thread, place
from otel_stdlib.record.context import correlation_fragment, current_context
from otel_stdlib.record.current import otel_fragment
from otel_stdlib.record.general import GeneralEncoder
from otel_stdlib.record.lift import BASE_KEYS, MESSAGE_KEYS, SPECIAL_KEYS, lift
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.plain import KEY_LENGTH, PLAIN_OPTIONS, is_plain, keys_fit
from otel_stdlib.record.stamp import MICROS, MILLIS, second_prefix

__all__ = ["LIFTED_KEYS", "LineEncoder", "Site", "forget_inherited_sites", "site_key"]

Site = tuple[bytes, bytes, int, dict[str, Any]] | tuple[()]
_Special = tuple[bytes | None, bytes | None, bytes]
_Encoded = tuple[bytes, int, int]

_BASE_COUNT = len(BASE_KEYS)
_LAST_BASE = _BASE_COUNT - 1
_HAS_TASK = "taskName" in BASE_KEYS
_SIMPLE = frozenset({str, int, bool, type(None)})
# The special names that ordinary records have: the trace filter's and an event's.
LIFTED_KEYS = ("trace_id", "span_id", "trace_flags", "correlation_id", "event.name")
_ABSENT = object()
_OTEL = "opentelemetry.trace"
_CACHE_SIZE = 4_096
_HALF_MICRO = 0.000_000_5
#: From here on in a second the nearest microsecond is the next second's first.
_LAST_MICRO = 1.0 - _HALF_MICRO
_NO_TIME = b'{"timestamp":"1970-01-01T00:00:00.'
_STACK_IS_FULL = (
    b'000000Z","severity_text":"","severity_number":0,"body":"a record was logged where the stack was full",'
    b'"scope":{"name":"otel_stdlib"},"attributes":{"otel_stdlib.encode_error":"RecursionError",'
)
site_key = itemgetter(
    "pathname",
    "lineno",
    "funcName",
    "levelno",
    "levelname",
    "name",
    "thread",
    "threadName",
    "process",
    "processName",
)
_dumps = orjson.dumps
_record_type = logging.LogRecord
_modules = sys.modules


class LineEncoder:
    """Encodes records with one set of options. Any thread may call ``encode``; there is no lock.

    Args:
        limits: bounds of a record; see ``Limits``.
        json_default: asked for the JSON value of types that are not known; its errors are ignored.
        reserved_attrs: names on a record that do not become attributes. The default is the
            record's own attributes; one of those that is left out of the list becomes one.
        static_attributes: attributes of every record; a record's own ones win.
        severity_text: ``"source"`` for the level's own name, ``"short"`` for TRACE … FATAL.
        guard: leave out what this package's own delivery threads log.
    """

    __slots__ = (
        "__weakref__",
        "_aside",
        "_body_length",
        "_count",
        "_fast_bytes",
        "_last_key",
        "_most_bytes",
        "_second",
        "_short_bytes",
        "_special_values",
        "general",
        "sites",
        "special",
        "wants_base",
    )

    def __init__(
        self,
        *,
        limits: Limits | Mapping[str, int] | None = None,
        json_default: Callable[[Any], Any] | None = None,
        reserved_attrs: Iterable[str] | None = None,
        static_attributes: Mapping[str, Any] | None = None,
        severity_text: str = "source",
        guard: bool = True,
    ) -> None:
        bounds = Limits.of(limits)
        self.general = GeneralEncoder(
            bounds, json_default, reserved_attrs, static_attributes, severity_text, guard
        )
        self._count = bounds.attribute_count
        self._body_length = min(bounds.body_length, bounds.total_bytes // 8)
        # Below this nothing in the attributes but a name can be past any limit but a count.
        self._fast_bytes = min(16_384, bounds.value_length, bounds.total_bytes // 4)
        #: Below this not even a name can be.
        self._short_bytes = min(KEY_LENGTH, self._fast_bytes)
        self._most_bytes = bounds.total_bytes // 2
        self.special = SPECIAL_KEYS | self.general.reserved | self.general.static.keys()
        #: Whether a record's own attributes are wanted: it then always takes the general path.
        self.wants_base = self.general.base_wanted
        self._last_key: object = object() if self.wants_base else BASE_KEYS[-1]
        self.sites: dict[Any, Site] = {}
        #: The same of records whose call is not on the stack any more: they lack the function's full name.
        self._aside: dict[Any, Site] = {}
        _encoders.add(self)
        self._second: tuple[int, bytes, int] = (-2, _NO_TIME, 0)
        self._special_values: dict[tuple[Any, ...], _Special] = {}

    # One function, as each call made from it would cost every log call about one per cent.
    def encode(self, record: logging.LogRecord) -> _Encoded | None:  # noqa: PLR0912, PLR0915
        """The open line, the severity number, and the time in nanoseconds since 1970.

        None when the record was logged on a delivery thread of this package. Raises nothing,
        whatever the record holds; only what is no ``Exception`` passes.
        """
        site: Site | None = None
        try:
            fields = record.__dict__
            site = self.sites.get(site_key(fields))
            if not site:
                site = self.new_site(record) if site is None else site
                if not site:
                    return None
            head, middle, severity, _ = site

            message = fields["msg"]
            if type(message) is str and type(record) is _record_type:
                args = fields["args"]
                if args:
                    message = message % args
                if len(message) > self._body_length:
                    return self.general.encode(record, site)
                body = _dumps(message)
            else:
                body = self.general.body(record)
                if not body:
                    return self.general.encode(record, site)

            trace = correlation = None
            attributes = b""
            size = len(fields)
            if size > _BASE_COUNT:
                keys = [*fields]
                if keys[_LAST_BASE] != self._last_key:
                    return self.general.encode(record, site)
                careful = size - _BASE_COUNT > self._count
                extras = {}
                for key in keys[_BASE_COUNT:]:
                    extras[key] = value = fields[key]
                    kind = type(value)  # a float less itself: 0.0, or NaN where it is not finite
                    if kind not in _SIMPLE and (value - value if kind is float else not is_plain(value)):
                        careful = True
                if not self.special.isdisjoint(extras):
                    found = self.take_special(extras)
                    if found is None:
                        return self.general.encode(record, site)
                    trace, correlation, event = found
                    middle = event + middle
                if extras:
                    if not careful:
                        try:
                            attributes = _dumps(extras, None, PLAIN_OPTIONS)
                            careful = len(attributes) > self._short_bytes and not self.fit(attributes, extras)
                        except TypeError:  # an integer of more than 53 bits, half of a surrogate pair
                            careful = True
                    if careful:
                        attributes, dropped = self.general.attributes(extras)
                        middle = dropped + middle
                    else:
                        attributes = attributes[1:-1] + b","
            elif next(reversed(fields)) != self._last_key:
                return self.general.encode(record, site)

            if fields["exc_info"] or fields["exc_text"] or fields["stack_info"]:
                attributes = self.general.exception(record) + attributes
            if _HAS_TASK and fields["taskName"] is not None:
                attributes = b'"asyncio.task.name":' + _dumps(fields["taskName"]) + b"," + attributes
            if len(attributes) > self._most_bytes:
                return self.general.encode(record, site)

            if trace is None or correlation is None:
                context = current_context()
                if trace is None and _OTEL in _modules:
                    trace = otel_fragment()
                if context is None:
                    trace, correlation = trace or b"", correlation or b""
                else:
                    trace = context.fragment if trace is None else trace
                    correlation = context.attribute_fragment if correlation is None else correlation

            created = fields["created"]
            start, prefix, start_ns = self._second
            offset = created - start
            if not 0.0 <= offset < _LAST_MICRO:
                start = int(created + _HALF_MICRO)
                offset = max(0.0, created - start)
                prefix, start_ns = second_prefix(start), start * 1_000_000_000
                self._second = (start, prefix, start_ns)
            micros = int(offset * 1e6 + 0.5)
            millis = micros // 1000
            ending = MICROS[micros - millis * 1000]
            parts = (prefix, MILLIS[millis], ending, head, body, b",", trace, middle, correlation, attributes)
            return b"".join(parts), severity, start_ns + micros * 1000
        except Exception:
            try:
                return self.general.encode(record, site or None)
            except RecursionError:
                # The stack is full: nothing may be called any more.
                _, prefix, start_ns = self._second
                return prefix + _STACK_IS_FULL, 0, start_ns

    def bounds(self) -> tuple[int, int, int, int, int]:
        """Of the fast path: characters of a body, attributes, and bytes of them, as ``encode`` asks one by one."""
        return self._body_length, self._count, self._short_bytes, self._fast_bytes, self._most_bytes

    def fit(self, attributes: bytes, extras: dict[str, Any]) -> bool:
        """Whether nothing in plain attributes, whose JSON is given too, can be past any limit but a count."""
        return len(attributes) <= self._fast_bytes and keys_fit(extras)

    def new_site(self, record: logging.LogRecord) -> Site:
        """The bytes of a call site seen for the first time; empty for a delivery thread."""
        general = self.general
        on_stack, key = place(record, site_key(record.__dict__))
        known = self.sites if on_stack else self._aside
        site: Site = () if key is None else known.get(key, ())
        if site:
            return site
        if not (general.guard and is_delivery_thread(record)):
            text, number = general.severity(record)
            head = b'"severity_text":%b,"severity_number":%d,"body":' % (_dumps(text), number)
            attributes = general.site(record)
            middle = _dumps({"scope": general.scope(record), "attributes": attributes})[1:-2]
            site = (head, middle + b"," if attributes else middle, number, attributes)
        return site if key is None else keep(known, key, site)

    def forget_sites(self) -> None:
        """Forget what holds for the parent process. In a forked child."""
        self.sites.clear()
        self._aside.clear()

    def take_special(self, extras: dict[str, Any]) -> _Special | None:
        """Take trace fields, an event's name and formatters' leavings off ``extras``.

        None when other special names are among them, or values that need a closer look.
        """
        pop = extras.pop
        key = (
            pop("trace_id", _ABSENT),
            pop("span_id", _ABSENT),
            pop("trace_flags", _ABSENT),
            pop("correlation_id", _ABSENT),
            pop("event.name", _ABSENT),
        )
        found = self._special_values.get(key)
        if found is None:
            taken = {
                name: value for name, value in zip(LIFTED_KEYS, key, strict=True) if value is not _ABSENT
            }
            trace, correlation_id, event_name = lift(taken)
            if taken:
                return None
            correlation = None if correlation_id is None else correlation_fragment(correlation_id)
            event = b'"event_name":%b,' % _dumps(event_name) if event_name else b""
            found = (trace, correlation, event)
            if len(self._special_values) >= _CACHE_SIZE:
                self._special_values.clear()
            self._special_values[key] = found
        if self.special.isdisjoint(extras):
            return found
        for name in MESSAGE_KEYS:
            pop(name, None)
        return found if self.special.isdisjoint(extras) else None


_encoders = ForkRegistry(LineEncoder.forget_sites)
#: Forget every encoder's call sites. For children of a C-level ``fork()``, which run no hooks.
forget_inherited_sites = _encoders.run
