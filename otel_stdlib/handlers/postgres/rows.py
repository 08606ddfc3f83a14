r"""Frames as rows of COPY's text format, mostly without parsing them.

The open line of a record is taken apart by one regular expression. That is enough because
COPY's text format and JSON agree: ``\\ \" \/ \b \f \n \r \t`` in a JSON string mean the same in
a COPY field, so the body's bytes are its field as they stand; and the attributes become a
field when their backslashes are doubled. ``\u`` is the one difference: a line with it, or of
another layout, takes the careful path of ``repair.py``, which gives the same row for the same
record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres.columns import NULL, copy_text
from otel_stdlib.handlers.postgres.compiled import CompiledRows, make_compiled_rows
from otel_stdlib.handlers.postgres.repair import REPAIRED, clean, dump_json, fit, read_record
from otel_stdlib.handlers.postgres.shape import TableShape
from otel_stdlib.spool.frame import Frame

__all__ = ["RowEncoder"]

_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z"


def _line(time: bytes, text: bytes) -> re.Pattern[bytes]:
    """The line up to its attributes: time, level, number, body, trace, span, other members."""
    return re.compile(
        rb'\{"timestamp":"(%b)","severity_text":"([^"]*)","severity_number":([0-9]+),"body":"(%b)"'
        rb'(?:,"trace_id":"([^"]{32})")?(?:,"span_id":"([^"]{16})")?'
        rb'((?:,"trace_flags":"[^"]{2}")?(?:,"event_name":"[^"]*")?,"scope":\{"name":"[^"]*"\}'
        rb'(?:,"otel\.dropped_attributes_count":[0-9]+)?),"attributes":\{' % (time, text)
    )


#: For a line without a backslash, which most are: half the time of the other one. In both, ``[^"]*``
#: cannot end inside a string: a quote inside one has a backslash before it, and so has the one
#: that would have to follow the comma.
_PLAIN = _line(rb'[0-9]{4}-[^"]{15,25}Z', rb'[^"]*')
_ESCAPED = _line(_TIME, rb'[^"\\]*(?:\\.[^"\\]*)*')
_TIMESTAMP = re.compile(_TIME.decode())
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_HEADS = 4_096


class RowEncoder:
    """Writes the rows of one origin for one table. Used by one thread.

    The quick path trusts a line to be JSON in UTF-8, as the package's own encoder writes it. A
    row of another making that the server refuses is given once more by ``careful_row``.

    Args:
        shape: the table's columns.
        origin: the spool; its resource becomes a constant field.
    """

    def __init__(self, shape: TableShape, origin: Origin) -> None:
        self._shape = shape
        self._spool_id = origin.spool_id.encode()
        self._uid = b'"log.record.uid":"%b-' % self._spool_id
        self._marks: set[str] = set()
        self._resource = _escape(_resource_json(origin.resource, self._marks))
        self._heads: dict[bytes, bytes] = {}
        # A repaired resource is marked in every record: those take the careful path.
        self._fast = not self._marks
        #: One row with its line end. ValueError: the frame holds no record.
        self.row: Callable[[Frame], bytes] = self._any_row
        #: Makes the rows of a table of the compiled walk; None: ``row`` does.
        self.compiled: CompiledRows | None = None
        if self._fast and shape.standard and not (shape.extra or shape.short_ids):
            self.row = self._make_plain_row()
            self.compiled = make_compiled_rows(shape, self._uid, self._middle, self.row)

    def _make_plain_row(self) -> Callable[[Frame], bytes]:
        """``row`` for the seed's table: the common line takes no more steps than it must."""
        match, join, tab, any_row = _PLAIN.match, b"".join, b"\t", self._any_row
        severity_length, body_length = self._shape.severity_length, self._shape.body_length
        end = self._uid.replace(b"%", b"%%") + b'%014x"}\n'
        middles: dict[bytes, bytes] = {}

        def plain_row(frame: Frame) -> bytes:
            payload = frame[4]
            if b"\\" in payload or (found := match(payload)) is None:
                return any_row(frame)
            time, severity, number, body, trace, span, members = found.groups(NULL)
            if len(severity) > severity_length or len(body) > body_length:
                return any_row(frame)
            middle = middles.get(members)
            if middle is None:
                if len(middles) >= _HEADS:
                    middles.clear()
                middle = middles[members] = self._middle(members)
            rest = payload[found.end() :]
            return join(
                (
                    time,
                    tab,
                    severity,
                    tab,
                    number,
                    tab,
                    body,
                    tab,
                    trace,
                    tab,
                    span,
                    middle,
                    rest,
                    end % frame[0],
                )
            )

        return plain_row

    def _middle(self, members: bytes) -> bytes:
        """What follows the span in a row, but for the attributes of the line itself."""
        return b"\t%b\t%b" % (self._resource, self._head(members))

    def _any_row(self, frame: Frame) -> bytes:
        payload = frame.payload
        if self._fast:
            # The search for two characters costs ten times that for one.
            if b"\\" not in payload:
                row = self._fast_row(frame, _PLAIN.match(payload), escaped=False)
            elif b"\\u" not in payload:
                row = self._fast_row(frame, _ESCAPED.match(payload), escaped=True)
            else:
                row = None
            if row is not None:
                return row
        return self.careful_row(frame)

    def _fast_row(self, frame: Frame, found: re.Match[bytes] | None, *, escaped: bool) -> bytes | None:
        if found is None:
            return None
        shape = self._shape
        time, severity, number, body, trace, span, members = found.groups(NULL)
        if len(severity) > shape.severity_length or shape.short_ids or len(body) > shape.body_length:
            return None
        head = self._heads.get(members) or self._head(members)
        rest = frame.payload[found.end() :]
        end = b'%014x"}' % frame.lsn
        extra = b""
        if shape.extra:
            attributes = orjson.loads(b"{%b%b%b" % (rest, self._uid, end))
            extra = b"".join([b"\t" + column.field(attributes) for column in shape.extra])
        if escaped:
            rest = rest.replace(b"\\", b"\\\\")
        if shape.standard:
            tab, resource = b"\t", self._resource
            return b"".join(
                (time, tab, severity, tab, number, tab, body, tab, trace, tab, span, tab, resource, tab, head, rest,
                 self._uid, end, extra, b"\n")
            )  # fmt: skip
        if shape.body_is_json:
            body = b'"%b"' % _escape(body)
        stored = b"%b%b%b%b" % (head, rest, self._uid, end)
        return (
            self._chosen((time, severity, number, body, trace, span, self._resource, stored)) + extra + b"\n"
        )

    def _chosen(self, values: Sequence[bytes]) -> bytes:
        return b"\t".join([values[index] for index in self._shape.chosen])

    def _head(self, members: bytes) -> bytes:
        """The beginning of the attributes: what stood beside them in the record."""
        open_line = b'{"attributes":{' + b"" if not members else b'{%b,"attributes":{' % members[1:]
        attributes = read_record(open_line, b"").attributes
        attributes.pop("log.record.uid")
        head = _escape(dump_json(attributes))[:-1] + (b"," if attributes else b"")
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[members] = head
        return head

    def careful_row(self, frame: Frame) -> bytes:
        """The same by parsing and repairing; the record is then valid, whatever wrote it.

        Raises:
            ValueError: the frame holds no record.
        """
        shape = self._shape
        uid = b"%b-%014x" % (self._spool_id, frame.lsn)
        fields, attributes, marks = read_record(frame.payload, uid)
        marks |= self._marks
        number = fields.get("severity_number")
        values = [
            _time_field(fields.get("timestamp"), frame.time_ns),
            _text_field(
                fields.get("severity_text"), shape.lengths.get("severity_text"), "severity_text", marks
            ),
            b"%d" % (number if isinstance(number, int) and abs(number) < 1 << 31 else frame.severity),
            self._body_field(fields.get("body"), marks),
            _text_field(fields.get("trace_id"), shape.lengths.get("trace_id"), "trace_id", marks),
            _text_field(fields.get("span_id"), shape.lengths.get("span_id"), "span_id", marks),
            self._resource,
        ]
        extra = b"".join([b"\t" + column.field(attributes) for column in shape.extra])
        if marks:
            attributes[REPAIRED] = sorted(marks)
        values.append(_escape(dump_json(attributes)))
        return self._chosen(values) + extra + b"\n"

    def _body_field(self, body: Any, marks: set[str]) -> bytes:
        if self._shape.body_is_json:
            return _escape(dump_json(body))
        if body is None:
            return NULL
        text = body if isinstance(body, str) else dump_json(body).decode()
        return copy_text(fit(text, self._shape.lengths.get("body"), "body", marks))


def _escape(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\")


def _resource_json(resource: bytes, marks: set[str]) -> bytes:
    """The resource with its keys in the order in which ``jsonb`` keeps them: the server then need not sort.

    It stands in every row, and sorting it is a tenth of what a row costs the server.
    """
    parsed = orjson.loads(resource)
    if b"\\u" in resource:
        parsed = clean(parsed, marks)
    if isinstance(parsed, dict):
        keys = sorted((key.encode("utf-8", "replace"), key) for key in parsed)
        parsed = {key: parsed[key] for _, key in sorted(keys, key=lambda pair: len(pair[0]))}
    return dump_json(parsed)


def _time_field(text: Any, time_ns: int) -> bytes:
    if isinstance(text, str) and _TIMESTAMP.fullmatch(text):
        return text.encode()
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat().encode()


def _text_field(value: Any, length: int | None, name: str, marks: set[str]) -> bytes:
    if value is None:
        return NULL
    text = value if isinstance(value, str) else dump_json(value).decode()
    return copy_text(fit(text, length, name, marks))
