"""The caller's attributes as protobuf: what repeats from record to record is written once and remembered.

Text, numbers and truth values are written here, by protobuf's encoding (protobuf.dev, "Encoding": a field
is its tag and its content, a message inside another one its length and its fields); everything else by the
messages of ``opentelemetry-proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, TypeVar

from otel_stdlib.handlers.otlp.protobuf import fill_value, varint

__all__ = ["PairWriter", "keep"]

#: What is remembered of each kind at most.
_MOST = 4_096
#: Longer texts are hardly ever the same.
_LONG = 64
_LEAST_INT, _MOST_INT = -(1 << 63), 1 << 63
#: The longest varint of 64 bits has 10 bytes.
_VARINTS = range(11)
_double = struct.Struct("<d").pack
K = TypeVar("K")
V = TypeVar("V")


def keep(known: dict[K, V], key: K, made: V) -> V:
    """Remember what was made, and forget everything before it where that is too much."""
    if len(known) >= _MOST:
        known.clear()
    known[key] = made
    return made


class PairWriter:
    """Writes attributes as fields ``attributes`` of a ``LogRecord``.

    Threads may share it: what they know of each other is what is remembered, and that may be made twice.
    """

    def __init__(self) -> None:
        from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

        self._any, self._pair = AnyValue, KeyValue
        self._attribute = varint(LogRecord.DESCRIPTOR.fields_by_name["attributes"].number << 3 | 2)
        self._value = varint(KeyValue.DESCRIPTOR.fields_by_name["value"].number << 3 | 2)
        kind = AnyValue.DESCRIPTOR.fields_by_name
        self._string = varint(kind["string_value"].number << 3 | 2)
        self._int = varint(kind["int_value"].number << 3)
        self._float = varint(kind["double_value"].number << 3 | 1)
        self._bool = varint(kind["bool_value"].number << 3)
        self._keys: dict[str, bytes] = {}
        self._texts: dict[tuple[str, str], bytes] = {}
        #: What stands before the number itself: for a whole one by its length.
        self._ints: dict[str, list[bytes]] = {}
        self._floats: dict[str, bytes] = {}

    def add(self, parts: list[bytes], attributes: Mapping[str, Any]) -> None:
        """Append attributes to ``parts``: JSON values, as ``orjson`` reads them."""
        texts, append = self._texts, parts.append
        for key, value in attributes.items():
            kind = type(value)
            if kind is str:
                append(texts.get((key, value)) or self._new_text(key, value))
            elif kind is int and _LEAST_INT <= value < _MOST_INT:
                number = varint(value if value >= 0 else value + (1 << 64))
                append((self._ints.get(key) or self._new_ints(key))[len(number)])
                append(number)
            elif kind is float:
                append(self._floats.get(key) or self._new_float(key))
                append(_double(value))
            elif kind is bool:
                append(self._whole(key, self._bool + (b"\x01" if value else b"\x00")))
            else:
                message = self._any()
                fill_value(message, value)
                append(self._whole(key, message.SerializeToString()))

    def text(self, key: str, value: bytes) -> bytes:
        """An attribute that is a text, given in UTF-8."""
        return self._whole(key, b"%b%b%b" % (self._string, varint(len(value)), value))

    def _whole(self, key: str, value: bytes) -> bytes:
        """An attribute: its key, and a serialized ``AnyValue``."""
        return self._before(key, len(value)) + value

    def _before(self, key: str, size: int) -> bytes:
        """What stands before a value of ``size`` bytes: the field's tag and length, the key, the value's."""
        head = b"%b%b%b" % (self._keys.get(key) or self._new_key(key), self._value, varint(size))
        return b"%b%b%b" % (self._attribute, varint(len(head) + size), head)

    def _new_key(self, key: str) -> bytes:
        return keep(self._keys, key, self._pair(key=key).SerializeToString())

    def _new_text(self, key: str, value: str) -> bytes:
        made = self.text(key, value.encode())
        return keep(self._texts, (key, value), made) if len(value) <= _LONG else made

    def _new_ints(self, key: str) -> list[bytes]:
        tag = self._int
        return keep(self._ints, key, [self._before(key, len(tag) + size) + tag for size in _VARINTS])

    def _new_float(self, key: str) -> bytes:
        return keep(self._floats, key, self._before(key, len(self._float) + 8) + self._float)
