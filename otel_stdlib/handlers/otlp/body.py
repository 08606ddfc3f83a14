"""Requests from frames: one resource, and the records of each logger under its scope.

JSON is that of ``record/otlp``, protobuf that of ``protobuf``. Both have the same content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.otlp.forms import JSONForm, ProtobufForm
from otel_stdlib.handlers.otlp.protobuf import RecordWriter, envelope
from otel_stdlib.handlers.otlp.quick import QuickWriter
from otel_stdlib.record.line import load_object, load_record
from otel_stdlib.record.otlp import key_values, log_record
from otel_stdlib.spool.frame import Frame

__all__ = ["JSON", "PROTOBUF", "Encoded", "Encoder"]

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class Encoded(NamedTuple):
    """A request, and what is in it."""

    body: bytes
    #: Its records.
    frames: Sequence[Frame]
    #: Why a frame holds no record, by its LSN.
    damaged: dict[int, str]


class Encoder:
    """Encodes the batches of one destination, in one way. Threads may share it.

    A record is decoded, where it has to be, becomes its message, and is gone: holding all of a batch's
    dictionaries at once costs more, in the collection of garbage, than making them.

    Args:
        content_type: ``JSON`` or ``PROTOBUF``.
    """

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        self._json = content_type == JSON
        self._quick = QuickWriter(JSONForm() if self._json else ProtobufForm())

    def encode(self, origin: Origin, frames: Sequence[Frame]) -> Encoded:
        """An ``ExportLogsServiceRequest`` of frames of one origin."""
        write = _json_record if self._json else RecordWriter()
        uid = f"{origin.spool_id}-%014x".encode("ascii")  # as ``make_uid``

        def careful(frame: Frame) -> tuple[str, bytes]:
            # The resource stands once in a request, not on each record.
            record = load_record(frame.payload, uid % frame.lsn, b"{}")
            return str((record.get("scope") or {}).get("name", "")), write(frame.time_ns, record)

        scopes, sound, damaged = self._quick.write(frames, origin.spool_id, careful)
        resource = load_object(origin.resource)
        body = _json_envelope(resource, scopes) if self._json else envelope(resource, scopes)
        return Encoded(body, sound, damaged)


def _json_record(_: int, record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(log_record(record))


def _json_envelope(resource: Mapping[str, Any], scopes: Mapping[str, Sequence[bytes]]) -> bytes:
    parts = [
        b'{"resourceLogs":[{"resource":{"attributes":%b},"scopeLogs":[' % orjson.dumps(key_values(resource))
    ]
    comma = b""
    for name, records in scopes.items():
        parts += (
            b'%b{"scope":%b,"logRecords":[' % (comma, orjson.dumps({"name": name})),
            b",".join(records),
            b"]}",
        )
        comma = b","
    parts.append(b"]}]}")
    return b"".join(parts)
