"""How the parts of an ordinary record are sent: what a form has to say, as protobuf and as JSON.

Protobuf is written by its encoding (protobuf.dev, "Encoding": a field is its tag and its content, a message
inside another one its length and its fields) where that is quick, and by the messages of
``opentelemetry-proto`` elsewhere. JSON is that of ``record/otlp``; texts and numbers stand in it as in a line.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from otel_stdlib.facts.imports import load
from otel_stdlib.handlers.otlp.protobuf import MESSAGES, RecordWriter, fill_value, varint
from otel_stdlib.record.otlp import any_value, head_members, key_values

__all__ = ["Form", "JSONForm", "ProtobufForm"]

#: From here on the length of a length is not looked up.
_SMALL, _USUAL = 126, 2_048
#: The longest varint of 64 bits has 10 bytes.
_VARINTS = range(11)
_fixed = struct.Struct("<Q").pack
_loads, _dumps = orjson.loads, orjson.dumps


class Form(Protocol):
    """Threads may share it. Keys and texts are given in UTF-8, as a line has them, and have no escapes.

    A record is ``start``, its time, a level, a body, a site, attributes, the uid, a tail, its time, ``end``.
    """

    start: bytes
    end: bytes

    def time(self, time_ns: int, /) -> bytes:
        """A time from 1970 on."""

    def level(self, members: Mapping[str, Any]) -> bytes:
        """The severity."""

    def body(self, text: bytes) -> bytes:
        """The body: what a line has between its quotes, escapes and all.

        Raises:
            ValueError: that is no text.
        """

    def site(self, attributes: Mapping[str, Any]) -> bytes:
        """The attributes of a place, and whatever stands before a record's first attribute."""

    def text(self, key: bytes, value: bytes) -> bytes:
        """An attribute that is a text."""

    def number(self, key: bytes, value: int) -> bytes:
        """An attribute that is a whole number of 64 bits."""

    def attribute(self, key: str, value: Any) -> bytes:
        """An attribute of any JSON value."""

    def uid(self, start: bytes) -> bytes:
        """The attribute ``log.record.uid`` up to the uid's last 14 characters: ``start`` is what is before them."""

    def tail(self, members: Mapping[str, Any]) -> bytes:
        """Trace and event, and whatever stands between the last attribute and the second time."""

    def whole(self, content: bytes, /) -> bytes:
        """A record of the bytes of all its parts."""


class ProtobufForm:
    """Records as fields ``log_records`` of a ``ScopeLogs``."""

    end = b""

    def __init__(self) -> None:
        load(MESSAGES)
        from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

        self._any, self._pair = AnyValue, KeyValue
        self._writer = RecordWriter()
        self.time = _fixed
        field = LogRecord.DESCRIPTOR.fields_by_name
        self.start = varint(field["time_unix_nano"].number << 3 | 1)
        self._observed = varint(field["observed_time_unix_nano"].number << 3 | 1)
        self._attribute = varint(field["attributes"].number << 3 | 2)
        self._value = varint(KeyValue.DESCRIPTOR.fields_by_name["value"].number << 3 | 2)
        kind = AnyValue.DESCRIPTOR.fields_by_name
        self._string = varint(kind["string_value"].number << 3 | 2)
        self._int = varint(kind["int_value"].number << 3)
        self._tag = varint(ScopeLogs.DESCRIPTOR.fields_by_name["log_records"].number << 3 | 2)
        self._heads = [self._tag + varint(size) for size in range(_USUAL)]
        self._body = varint(field["body"].number << 3 | 2)
        #: What stands before a body, by its length.
        self._bodies = [self._before_body(size) for size in range(_SMALL)]
        #: What stands before a whole number, by its length.
        self._ints: dict[bytes, list[bytes]] = {}

    def level(self, members: Mapping[str, Any]) -> bytes:
        """Two fields."""
        return self._writer.head(members)

    def body(self, text: bytes) -> bytes:
        """The field ``body``."""
        if b"\\" in text:
            text = _loads(b'"%b"' % text).encode()
        elif not text.isascii():
            text.decode()  # what is no UTF-8 is no record
        size = len(text)
        return (self._bodies[size] if size < _SMALL else self._before_body(size)) + text

    def _before_body(self, size: int) -> bytes:
        head = self._string + varint(size)
        return b"%b%b%b" % (self._body, varint(len(head) + size), head)

    def site(self, attributes: Mapping[str, Any]) -> bytes:
        """The fields."""
        return self._writer.attributes(attributes)

    def text(self, key: bytes, value: bytes) -> bytes:
        """The field."""
        return self._whole(key, b"%b%b%b" % (self._string, varint(len(value)), value))

    def number(self, key: bytes, value: int) -> bytes:
        """The field."""
        number = varint(value if value >= 0 else value + (1 << 64))
        return (self._ints.get(key) or self._new_ints(key))[len(number)] + number

    def attribute(self, key: str, value: Any) -> bytes:
        """The field."""
        message = self._any()
        fill_value(message, value)
        return self._whole(key.encode(), message.SerializeToString())

    def uid(self, start: bytes) -> bytes:
        """A field without its end."""
        return self.text(b"log.record.uid", start + bytes(14))[:-14]

    def tail(self, members: Mapping[str, Any]) -> bytes:
        """The fields, and the tag of the observed time."""
        return (self._writer.head(members) if members else b"") + self._observed

    def whole(self, content: bytes, /) -> bytes:
        """The field."""
        size = len(content)
        return (self._heads[size] if size < _USUAL else self._tag + varint(size)) + content

    def _whole(self, key: bytes, value: bytes) -> bytes:
        """An attribute: its key, and a serialized ``AnyValue``."""
        return self._before(key, len(value)) + value

    def _before(self, key: bytes, size: int) -> bytes:
        """What stands before a value of ``size`` bytes: the field's tag and length, the key, the value's."""
        name = self._pair(key=key.decode()).SerializeToString()
        head = b"%b%b%b" % (name, self._value, varint(size))
        return b"%b%b%b" % (self._attribute, varint(len(head) + size), head)

    def _new_ints(self, key: bytes) -> list[bytes]:
        tag = self._int
        made = [self._before(key, len(tag) + size) + tag for size in _VARINTS]
        if len(self._ints) < _USUAL:
            self._ints[key] = made
        return made


class JSONForm:
    """Records as JSON objects."""

    start = b'{"timeUnixNano":"'
    end = b'"}'

    def time(self, time_ns: int, /) -> bytes:
        """Digits."""
        return b"%d" % time_ns

    def level(self, members: Mapping[str, Any]) -> bytes:
        """Two members, and what stands before the body's text."""
        named = {"severityNumber": members["severity_number"], "severityText": members["severity_text"]}
        return b'",%b,"body":{"stringValue":"' % _dumps(named)[1:-1]

    def body(self, text: bytes) -> bytes:
        """The text as it stands."""
        _loads(b'"%b"' % text)  # one that is no text would spoil the others' request
        return text

    def site(self, attributes: Mapping[str, Any]) -> bytes:
        """The end of the body, and elements of the list of attributes."""
        return b'"},"attributes":[' + b"".join([_dumps(pair) + b"," for pair in key_values(attributes)])

    def text(self, key: bytes, value: bytes) -> bytes:
        """An element."""
        return b'{"key":"%b","value":{"stringValue":"%b"}},' % (key, value)

    def number(self, key: bytes, value: int) -> bytes:
        """An element."""
        return b'{"key":"%b","value":{"intValue":"%d"}},' % (key, value)

    def attribute(self, key: str, value: Any) -> bytes:
        """An element."""
        return _dumps({"key": key, "value": any_value(value)}) + b","

    def uid(self, start: bytes) -> bytes:
        """An element without its end."""
        return b'{"key":"log.record.uid","value":{"stringValue":"' + start

    def tail(self, members: Mapping[str, Any]) -> bytes:
        """The end of the attributes, and members."""
        found = _dumps(head_members(members))[1:-1]
        return b'"}}],%b%b"observedTimeUnixNano":"' % (found, b"," if found else b"")

    def whole(self, content: bytes, /) -> bytes:
        """The object."""
        return content
