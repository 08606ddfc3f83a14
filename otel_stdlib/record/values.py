"""Any Python value as a bounded JSON value: OpenTelemetry's AnyValue outside OTLP.

Rules (specification, common/README): signed 64-bit integers, larger ones as text; NaN and the
infinities as text; bytes as base64, marked as such (``line``); keys non-empty text, unique; unknown
types as text.
Nothing a value does in ``__str__``, ``__iter__``, ``__class__`` … can raise out of here, except
what is no ``Exception``: KeyboardInterrupt passes.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
from collections import deque
from collections.abc import Callable, ItemsView, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

import orjson

from otel_stdlib.record.limits import Limits
from otel_stdlib.record.line import BYTES_MARK
from otel_stdlib.record.plain import KEY_LENGTH

__all__ = ["ELLIPSIS", "Normaliser", "safe_text", "valid_text"]

ELLIPSIS = "…"
_UID, _OWN_UID = "log.record.uid", "otel_stdlib.log.record.uid"
CIRCULAR = "(circular)"
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1
#: Longer integers are described; CPython refuses to write more than 4300 digits as text.
_INT_BITS = 4_096
_LISTS = (list, tuple, AbstractSet, deque, KeysView, ValuesView, ItemsView)
_NO_VALUE = object()


def valid_text(text: str) -> str:
    r"""Text that UTF-8 can hold: lone surrogates become ``\udc80`` in plain letters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def safe_text(value: object) -> str:
    """``str(value)``, or ``repr`` where a type has no text of its own, or a note that it failed."""
    kind = type(value)
    try:
        text = str(value) if kind.__str__ is not object.__str__ else repr(value)
        return str.__str__(text)
    except Exception as error:
        return f"<{type_name(kind)} without text: {type(error).__name__}>"


def type_name(kind: type) -> str:
    """The qualified name of a class; built-in ones without their module."""
    try:
        module, name = kind.__module__, kind.__qualname__
        if type(module) is not str or type(name) is not str:
            return "object"
        return name if module == "builtins" else f"{module}.{name}"
    except Exception:
        return "object"


class Normaliser:
    """Turns the values of one record into what ``orjson`` writes. One per record; not thread safe.

    ``truncated`` counts what was cut. ``budget`` is the number of characters that may still be
    written, over all values.
    """

    __slots__ = ("_default", "_length", "_limits", "_open", "budget", "truncated")

    def __init__(
        self, limits: Limits, default: Callable[[Any], Any] | None = None, *, budget: int | None = None
    ) -> None:
        self._limits = limits
        self._length = limits.value_length
        self._default = default
        self._open: set[int] = set()
        self.budget = limits.total_bytes // 2 if budget is None else budget
        self.truncated = 0

    def text(self, text: str, limit: int | None = None) -> str:
        """Valid text within ``limit`` characters and the budget."""
        most = min(self._length if limit is None else limit, max(self.budget, 1))
        if len(text) > most:
            text = text[: most - 1] + ELLIPSIS
            self.truncated += 1
        self.budget -= len(text)
        return valid_text(text)

    def body(self, value: Any) -> Any:
        """A structured body: as ``value``, with the body's own length for texts."""
        self._length = self._limits.body_length
        try:
            return self.value(value)
        finally:
            self._length = self._limits.value_length

    def value(self, value: Any, depth: int = 1) -> Any:
        """The JSON value of anything; of bytes an ``orjson.Fragment``."""
        self.budget -= 4
        try:
            return self._convert(value, type(value), depth)
        except Exception:
            return self.text(safe_text(value))

    def attributes(self, extras: Mapping[Any, Any]) -> dict[str, Any]:
        """The attributes that a caller gave, the first ones within the limit.

        The uid's name is the package's own: a caller's stands under ``otel_stdlib.log.record.uid``.
        """
        kept: dict[str, Any] = {}
        for name in islice(extras, self._limits.attribute_count):
            key = self.key(name)
            kept[_OWN_UID if key == _UID else key] = self.value(extras[name])
        return kept

    def key(self, key: Any) -> str:
        """The text of a map's key."""
        if isinstance(key, enum.Enum):
            key = key.value
        text = key if type(key) is str else safe_text(key)
        return self.text(text, min(self._length, KEY_LENGTH)) or "(empty)"

    def _convert(self, value: Any, kind: type, depth: int) -> Any:
        # The usual types first, by identity.
        if kind is str:
            return self.text(value)
        if value is None or kind is bool:
            return value
        if kind is dict:
            return self._nested(value, kind, depth, self._mapping)
        if kind is list or kind is tuple:
            return self._nested(value, kind, depth, self._sequence)
        # issubclass(type(value)) and not isinstance: __class__ is the object's own word.
        if issubclass(kind, enum.Enum):
            return self.value(value.value, depth)
        if issubclass(kind, str):
            return self.text(str.__str__(value))
        if issubclass(kind, int):
            return self._integer(int.__add__(value, 0))
        if issubclass(kind, float):
            return _float(float.__add__(value, 0.0))
        if issubclass(kind, (bytes, bytearray, memoryview)):
            return self._bytes(value)
        if issubclass(kind, (dt.datetime, dt.date, dt.time)):
            return self.text(value.isoformat())
        return self._container(value, kind, depth)

    def _container(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, (dict, Mapping)):
            return self._nested(value, kind, depth, self._mapping)
        if issubclass(kind, _LISTS):
            fields = getattr(kind, "_fields", None) if issubclass(kind, tuple) else None
            if fields:
                return self._nested(
                    dict(zip(fields, tuple.__iter__(value), strict=False)), dict, depth, self._mapping
                )
            return self._nested(value, kind, depth, self._sequence)
        if self._default is not None:
            answer = self._ask_default(value)
            if answer is not _NO_VALUE:
                return self._nested(value, kind, depth, lambda *_: self.value(answer, depth + 1))
        if dataclasses.is_dataclass(kind):
            shown = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value) if f.repr}
            return self._nested(value, kind, depth, lambda _, __, level: self._mapping(shown, dict, level))
        item = getattr(kind, "item", None)
        if item is not None and hasattr(kind, "dtype") and getattr(value, "shape", None) == ():
            return self.value(item(value), depth + 1)  # a scalar of numpy or its kin
        return self.text(safe_text(value))

    def _ask_default(self, value: Any) -> Any:
        try:
            return self._default(value) if self._default is not None else _NO_VALUE
        except Exception:
            return _NO_VALUE

    def _nested(self, value: Any, kind: type, depth: int, convert: Callable[[Any, type, int], Any]) -> Any:
        """Convert a container unless it is inside itself or too deep."""
        identity = id(value)
        if identity in self._open:
            return CIRCULAR
        if depth > self._limits.depth:
            self.truncated += 1
            return f"<{type_name(kind)}>"
        self._open.add(identity)
        try:
            return convert(value, kind, depth)
        finally:
            self._open.discard(identity)

    def _mapping(self, value: Any, kind: type, depth: int) -> dict[str, Any]:
        items = dict.items(value) if issubclass(kind, dict) else value.items()
        result: dict[str, Any] = {}
        for key, member in self._some(items):
            name = unique = self.key(key)
            number = 2
            while unique in result:
                unique = f"{name}#{number}"
                number += 1
            result[unique] = self.value(member, depth + 1)
        return result

    def _sequence(self, value: Any, kind: type, depth: int) -> list[Any]:
        return [self.value(member, depth + 1) for member in self._some(value)]

    def _some(self, members: Any) -> list[Any]:
        """The members within the limits. Taken at once: another thread may change them."""
        most = max(0, min(self._limits.items, self.budget // 4))
        for attempt in range(3):
            try:
                some = list(islice(members, most + 1))
                break
            except RuntimeError:  # changed size during iteration
                if attempt == 2:
                    raise
        if len(some) > most:
            del some[most:]
            self.truncated += 1
        return some

    def _integer(self, value: int) -> int | str:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        bits = value.bit_length()
        return str(value) if bits <= _INT_BITS else f"<int of {bits} bits>"

    def _bytes(self, value: Any) -> orjson.Fragment:
        most = max(3, min(self._length, self.budget) // 4 * 3)
        view = memoryview(value).cast("B") if not isinstance(value, memoryview) else value
        raw = bytes(view[: most + 1])
        if len(raw) > most:
            raw = raw[:most]
            self.truncated += 1
        text = base64.b64encode(raw)
        self.budget -= len(text)
        return orjson.Fragment(b'%b"%b"' % (BYTES_MARK, text))


def _float(value: float) -> float | str:
    if value != value:  # noqa: PLR0124 - what only NaN is
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value
