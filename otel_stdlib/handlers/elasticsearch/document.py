"""Bulk bodies, made from the spool's bytes by concatenation.

``otel``  the record's line with ``@timestamp`` before it (and ``data_stream`` for a stream)
``seed``  the record's line as a file has it; with ``@timestamp`` where a data stream or logsdb needs it
``ecs``   the Elastic Common Schema: the one that pays for a decode

Elasticsearch refuses U+0000 in names, and in ``date_nanos`` times before 1970 or after 2262-04-11: these are
repaired and named in the attribute ``otel_stdlib.repaired``.

``body`` is text. A structured body goes to ``body_structured`` as it is, and to ``body`` as
its JSON text, so that no message can be refused for having another type than the first one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

import orjson

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.memo import keep
from otel_stdlib.handlers.elasticsearch.naming import DataStream, IndexPattern
from otel_stdlib.handlers.repair import REPAIRED, clean_keys
from otel_stdlib.record.ecs import ecs_document
from otel_stdlib.record.line import close_line, load_line
from otel_stdlib.spool.frame import Frame

__all__ = ["BulkWriter"]

_START = b'{"timestamp":"'
_BODY = b'"body":'
#: Where the time begins, with its quote.
_TIME_AT = len(_START) - 1
#: Action, uid, line, uid, resource; and with a timestamp and a stream's members before the line.
_PLAIN = b'%b%b"}}\n%b"log.record.uid":"%b"},"resource":%b}\n'
_STAMPED = b'%b%b"}}\n{"@timestamp":%b%b,%b"log.record.uid":"%b"},"resource":%b}\n'
_STRUCTURE = (b"{"[0], b"["[0])
_NUL, _BACKSLASH = b"\\u0000", ord("\\")
#: What ``date_nanos`` can hold, as the texts of times.
_FIRST, _LAST = b'"1970-01-01T00:00:00.000000Z"', b'"2262-04-11T23:47:16.854775Z"'
_LAST_NS = (1 << 63) - 1_000
_raw_decode = json.JSONDecoder().raw_decode


class BulkWriter:
    """Makes the lines of bulk requests. Any thread may call it.

    Args:
        naming: where each record goes.
        mapping: ``otel``, ``seed`` or ``ecs``.
        logsdb: whether the indices are in that mode.
        counters: gets ``repaired``, the records that were not stored as they were.
    """

    def __init__(
        self,
        naming: IndexPattern | DataStream,
        mapping: str,
        *,
        logsdb: bool = False,
        counters: Counters | None = None,
    ) -> None:
        self._counters = counters or Counters()
        self._naming = naming
        self._plain = mapping == "seed" and not naming.is_stream and not logsdb
        self._actions: dict[str, bytes] = {}
        self._stream = b""
        if isinstance(naming, DataStream):
            parts = {"type": naming.type, "dataset": naming.dataset, "namespace": naming.namespace}
            self._stream = b',"data_stream":' + orjson.dumps(parts)
        self._is_line = mapping != "ecs"
        self._document: Callable[[Frame, str, bytes], bytes] = self._ecs if mapping == "ecs" else self._line

    def name(self, frame: Frame, origin: Origin) -> str:
        """The index or stream of a record."""
        return self._naming.name(frame, origin.resource)

    def items(self, frames: Sequence[Frame], origin: Origin, names: Sequence[str]) -> list[bytes]:
        """Action and document of each record, two lines each."""
        spool_id, resource, document = origin.spool_id, origin.resource, self._document
        start = b"%b-" % spool_id.encode()
        is_line, plain, stream = self._is_line, self._plain, self._stream
        found: list[bytes] = []
        for frame, name in zip(frames, names, strict=True):
            lsn, time_ns, _, _, payload = frame
            uid = start + b"%014x" % lsn
            action = self._actions.get(name) or self._action(name)
            at = payload.find(_BODY) + len(_BODY)
            if (
                is_line
                and 0 < time_ns < _LAST_NS
                and payload.startswith(_START)
                and payload[at : at + 1] == b'"'
                # One byte is found ten times as fast as several, and few records have a backslash.
                and not (_BACKSLASH in payload and _NUL in payload)
            ):  # as ``_line``, with fewer steps
                if plain:
                    found.append(_PLAIN % (action, uid, payload, uid, resource))
                else:
                    time = payload[_TIME_AT : payload.find(b'"', len(_START)) + 1]
                    found.append(_STAMPED % (action, uid, time, stream, payload[1:], uid, resource))
            else:
                found.append(b'%b%b"}}\n%b\n' % (action, uid, document(frame, uid.decode(), resource)))
        return found

    def _action(self, name: str) -> bytes:
        return keep(self._actions, name, b'{"create":{"_index":%b,"_id":"' % orjson.dumps(name))

    def _line(self, frame: Frame, uid: str, resource: bytes) -> bytes:
        payload = frame.payload
        if (_BACKSLASH in payload and _NUL in payload) or not 0 < frame.time_ns < _LAST_NS:
            payload, time = self._repaired(frame)
        else:
            time = _timestamp(payload, frame.time_ns)
        # The first '"body":' is the member itself: before it stand a number and two texts, where quotes are escaped.
        at = payload.find(_BODY) + len(_BODY)
        if payload[at] in _STRUCTURE:
            payload = _with_text_body(payload, at)
        line = close_line(payload, uid.encode(), resource)
        if self._plain:
            return line
        return b'{"@timestamp":%b%b,%b' % (time, self._stream, line[1:])

    def _repaired(self, frame: Frame) -> tuple[bytes, bytes]:
        """A record's open line and its time as a JSON text, both such as the server takes them."""
        payload, marks = frame.payload, []
        if _NUL in payload:
            cleaned = _with_clean_names(payload)
            if cleaned is not payload:
                payload = cleaned
                marks.append("nul")
        time = _timestamp(payload, frame.time_ns)
        if not _FIRST <= time <= _LAST and not self._plain:
            time = _FIRST if time < _FIRST else _LAST
            marks.append("@timestamp")
        if marks:
            self._counters.add("repaired")
            payload = b'%b"%b":%b,' % (payload, REPAIRED.encode(), orjson.dumps(marks))
        return payload, time

    def _ecs(self, frame: Frame, uid: str, resource: bytes) -> bytes:
        payload, time = self._repaired(frame)
        document = ecs_document(load_line(payload, uid.encode(), resource))
        document["@timestamp"] = time[1:-1].decode()
        if isinstance(self._naming, DataStream):
            stream = self._naming
            document["data_stream"] = {
                "type": stream.type,
                "dataset": stream.dataset,
                "namespace": stream.namespace,
            }
        return orjson.dumps(document)


def _timestamp(payload: bytes, time_ns: int) -> bytes:
    """The event time as a JSON text."""
    if payload.startswith(_START):
        end = payload.find(b'"', len(_START)) + 1
        return payload[len(_START) - 1 : end]
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    when = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f'"{when:%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"'.encode()


def _with_clean_names(payload: bytes) -> bytes:
    """The payload without U+0000 in names; the same object where there is none, or no JSON."""
    try:
        record = orjson.loads(payload.rstrip(b",") + b"}}")
    except ValueError:
        return payload
    cleaned = clean_keys(record)
    if cleaned == record:
        return payload
    line = orjson.dumps(cleaned)[:-2]
    return line if line.endswith(b"{") else line + b","


def _with_text_body(payload: bytes, at: int) -> bytes:
    """The payload with a structured body, which begins at ``at``, as text and beside it as it is."""
    text = payload[at:].decode()
    _, end = _raw_decode(text)
    raw = text[:end]
    # The field holds objects only: a list stands under "value", as the Collector's exporter has it.
    structured = raw if raw[0] == "{" else f'{{"value":{raw}}}'
    return b'%b%b,"body_structured":%b%b' % (
        payload[:at],
        orjson.dumps(raw),
        structured.encode(),
        text[end:].encode(),
    )
