"""The ordinary record as protobuf, mostly without parsing it.

A line that the encoder wrote is cut where its parts are: what repeats from record to record (level,
trace, logger, place in the code and thread) is looked up by its bytes, the body's bytes are the field's
bytes as they stand, and only the caller's attributes are parsed (``pairs``). What a line must be
for that is checked; any other is left to ``RecordWriter``.

Most lines come from the place of the line before: then what stands around the body is the same bytes, and
comparing them is all that is to be done about them.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

import orjson

from otel_stdlib.delivery.contract import Frame
from otel_stdlib.handlers.otlp.pairs import PairWriter, keep
from otel_stdlib.handlers.otlp.protobuf import RecordWriter, varint
from otel_stdlib.record.line import may_hold_bytes

__all__ = ["QuickWriter"]

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_HEAD_NAMES = rb"trace_id|span_id|trace_flags|event_name|otel\.dropped_attributes_count"
_PLACE = (
    rb'"scope":\{"name":'
    + _TEXT
    + rb'\},"attributes":\{(?:"(?:code|thread)\.[a-z.]+":(?:'
    + _TEXT
    + rb"|[0-9]+),)*"
)
_IS_PLACE = re.compile(_PLACE, re.DOTALL).fullmatch
#: Level; body; trace, event and count of dropped attributes; scope, and what is known of the place.
_LINE = re.compile(
    rb'\{"timestamp":"[^"\\]{27}",("severity_text":' + _TEXT + rb',"severity_number":[0-9]+),'
    rb'"body":"([^"\\]*(?:\\.[^"\\]*)*)",'
    rb'((?:"(?:' + _HEAD_NAMES + rb')":(?:' + _TEXT + rb"|[0-9]+),)*)(" + _PLACE + rb")",
    re.DOTALL,
)  # fmt: skip
_START = b'{"timestamp":"'
#: Where the level stands: the time has 27 characters.
_LEVEL = len(_START) + 27 + 2
_BODY = b',"body":"'
_SCOPE, _LAST = b'"scope":{', b'"thread.name":"'
_UID = "log.record.uid"
_fixed = struct.Struct("<Q").pack
_loads = orjson.loads


class _Around(NamedTuple):
    """What stands around the body in the lines of one place, and what it is as protobuf."""

    #: From the level to the body's first quote.
    lead: bytes
    #: From the body's last quote to the caller's attributes.
    middle: bytes
    scope: str
    level: bytes
    #: The attributes of the place.
    site: bytes
    #: Trace and event, and the tag of the observed time.
    tail: bytes
    #: The attributes that are in ``site``, and the uid.
    names: frozenset[str]


class QuickWriter:
    """Writes the frames of one origin as fields ``log_records`` of a ``ScopeLogs``.

    Threads may share it: what they know of each other is what is remembered, and that may be made twice.

    Args:
        origin: the spool's id, the beginning of each record's uid.
    """

    def __init__(self, origin: str) -> None:
        from opentelemetry.proto.common.v1.common_pb2 import AnyValue
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

        self.origin = origin
        self._careful = RecordWriter()
        self._pairs = PairWriter()
        field = LogRecord.DESCRIPTOR.fields_by_name
        self._time = varint(field["time_unix_nano"].number << 3 | 1)
        self._observed = varint(field["observed_time_unix_nano"].number << 3 | 1)
        self._tag = varint(ScopeLogs.DESCRIPTOR.fields_by_name["log_records"].number << 3 | 2)
        self._body = varint(field["body"].number << 3 | 2)
        self._string = varint(AnyValue.DESCRIPTOR.fields_by_name["string_value"].number << 3 | 2)
        self._levels: dict[bytes, bytes] = {}
        self._heads: dict[bytes, bytes] = {}
        self._sites: dict[bytes, tuple[str, bytes, frozenset[str]]] = {}
        self._known: dict[tuple[bytes, bytes, bytes], _Around] = {}
        #: That of the line before. No line has this first one.
        self._last = _Around(b"\x00", b"\x00", "", b"", b"", b"", frozenset())
        # The uid's last 14 characters are the record's own.
        self._uid = self._pairs.text(_UID, f"{origin}-{0:014x}".encode("ascii"))[:-14]

    def __call__(self, frame: Frame) -> tuple[str, bytes] | None:
        """The scope's name and the record; None where the line is not an ordinary one.

        Raises:
            ValueError: the frame holds no record.
        """
        payload = frame.payload
        if frame.time_ns < 0:
            return None
        around = self._last
        body = None
        if payload.startswith(around.lead, _LEVEL) and payload.startswith(_START):
            begin = _LEVEL + len(around.lead)
            stop = payload.find(b'"', begin)
            if payload.startswith(around.middle, stop):
                body = payload[begin:stop]
                # With a backslash the quote that was found need not be the body's last one.
                body = None if b"\\" in body else body
                rest = payload[stop + len(around.middle) :]
        if body is None:
            cut = self._look(payload)
            if cut is None:
                return None
            body, around, rest = cut
        time = _fixed(frame.time_ns)
        parts = [self._time, time, around.level, self._text_body(body), around.site]
        if rest:
            if may_hold_bytes(rest):
                return None
            extras = _loads(b"{%b}" % rest[:-1])
            if not around.names.isdisjoint(extras):
                return None  # the later one counts, and only one may be sent
            self._pairs.add(parts, extras)
        parts += b"%b%014x" % (self._uid, frame.lsn), around.tail, time
        content = b"".join(parts)
        return around.scope, b"%b%b%b" % (self._tag, varint(len(content)), content)

    def _look(self, payload: bytes) -> tuple[bytes, _Around, bytes] | None:
        """Body, what is around it, and the caller's attributes, of a line from another place than the last."""
        cut = _cut(payload)
        if cut is None:
            return None
        level, body, head, place, rest = cut
        around = self._known.get((level, head, place))
        if around is None:
            known = self._sites.get(place) or self._new_site(place)
            if known is None:
                return None
            scope, site, names = known
            tail = ((self._heads.get(head) or self._new_head(head)) if head else b"") + self._observed
            text = self._levels.get(level) or self._new_level(level)
            end = len(payload) - len(rest)
            middle = payload[end - len(place) - len(head) - 2 : end]
            lead = payload[_LEVEL : _LEVEL + len(level) + len(_BODY)]
            around = _Around(lead, middle, scope, text, site, tail, names)
            keep(self._known, (level, head, place), around)
        self._last = around
        return body, around, rest

    def _text_body(self, body: bytes) -> bytes:
        """The field ``body`` of what stands between the quotes."""
        if b"\\" in body:
            body = _loads(b'"%b"' % body).encode()
        elif not body.isascii():
            body.decode()  # what is no UTF-8 is no record
        size = len(body)
        if size < 126:
            return b"%b%c%b%c%b" % (self._body, size + 2, self._string, size, body)
        value = b"%b%b%b" % (self._string, varint(size), body)
        return b"%b%b%b" % (self._body, varint(len(value)), value)

    def _new_level(self, level: bytes) -> bytes:
        found = _loads(b"{%b}" % level)
        return keep(self._levels, level, self._careful.head(found))

    def _new_head(self, head: bytes) -> bytes:
        return keep(self._heads, head, self._careful.head(_loads(b"{%b}" % head[:-1])))

    def _new_site(self, place: bytes) -> tuple[str, bytes, frozenset[str]] | None:
        if _IS_PLACE(place) is None:
            return None
        found = _loads(b"{%b}}" % place.rstrip(b","))
        attributes = found["attributes"]
        made = found["scope"]["name"], self._careful.attributes(attributes), frozenset((_UID, *attributes))
        return keep(self._sites, place, made)


def _cut(payload: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes] | None:
    """Level, body, trace and event, place, and the caller's attributes; what they look like is not checked yet."""
    if b"\\" not in payload:
        # No text has a quote in it: each of these is what it looks like. Searching is quicker than the expression.
        end = payload.find(_BODY, _LEVEL)
        begin = end + len(_BODY)
        stop = payload.find(b'"', begin)
        scope = payload.find(_SCOPE, stop)
        last = payload.find(_LAST, scope)
        rest = payload.find(b'",', last + len(_LAST)) + 2
        if 0 < end < stop < scope < last < rest and payload.startswith(_START):
            return (
                payload[_LEVEL:end],
                payload[begin:stop],
                payload[stop + 2 : scope],
                payload[scope:rest],
                payload[rest:],
            )
    found = _LINE.match(payload)
    return None if found is None else (*found.groups(), payload[found.end() :])  # type: ignore[return-value]
