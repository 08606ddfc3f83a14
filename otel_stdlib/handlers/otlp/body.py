"""Requests from frames: one resource, and the records of each logger under its scope.

JSON is that of ``record/otlp``, protobuf that of ``protobuf``. Both have the same content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from otel_stdlib.delivery.contract import Batch, Frame
from otel_stdlib.handlers.otlp.protobuf import RecordWriter, envelope
from otel_stdlib.handlers.otlp.quick import QuickWriter
from otel_stdlib.record.line import load_object, load_record
from otel_stdlib.record.otlp import key_values, log_record

__all__ = ["JSON", "PROTOBUF", "Encoded", "Encoder"]

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class Encoded(NamedTuple):
    """A request, and what is in it."""

    body: bytes
    #: Its records.
    frames: list[Frame]
    #: Why a frame holds no record, by its LSN.
    damaged: dict[int, str]


class Encoder:
    """Encodes stretches of one batch. Threads may share it.

    A record is decoded, becomes its message, and is gone: holding all of a batch's dictionaries at
    once costs more, in the collection of garbage, than making them.
    """

    def __init__(self, batch: Batch) -> None:
        self._origin = batch.origin.spool_id
        self._quick: QuickWriter | None = None
        self._uid = f"{batch.origin.spool_id}-%014x".encode("ascii")  # as ``make_uid``
        self._resource = load_object(batch.origin.resource)

    def _load(self, frame: Frame) -> dict[str, Any]:
        # The resource stands once in a request, not on each record.
        return load_record(frame.payload, self._uid % frame.lsn, b"{}")

    def json(self, frames: Sequence[Frame]) -> Encoded:
        """An ``ExportLogsServiceRequest`` in OTLP's JSON."""
        scopes, sound, damaged = self._encode(frames, lambda _, record: orjson.dumps(log_record(record)))
        body = b'{"resourceLogs":[{"resource":{"attributes":%b},"scopeLogs":[%b]}]}' % (
            orjson.dumps(key_values(self._resource)),
            b",".join(
                b'{"scope":%b,"logRecords":[%b]}' % (orjson.dumps({"name": name}), b",".join(records))
                for name, records in scopes.items()
            ),
        )
        return Encoded(body, sound, damaged)

    def protobuf(self, frames: Sequence[Frame]) -> Encoded:
        """An ``ExportLogsServiceRequest`` in protobuf."""
        careful, quick = RecordWriter(), self._writer()
        scopes, sound, damaged = self._encode(frames, careful, quick)
        return Encoded(envelope(self._resource, scopes), sound, damaged)

    def _writer(self) -> QuickWriter:
        if self._quick is None:
            self._quick = QuickWriter(self._origin)
        return self._quick

    def _encode(
        self,
        frames: Sequence[Frame],
        write: Callable[[int, Mapping[str, Any]], bytes],
        quick: Callable[[Frame], tuple[str, bytes] | None] | None = None,
    ) -> tuple[dict[str, list[bytes]], list[Frame], dict[int, str]]:
        """The records by their scopes, the frames that hold them, and why others hold none."""
        scopes: dict[str, list[bytes]] = {}
        sound: list[Frame] = []
        damaged: dict[int, str] = {}
        for frame in frames:
            try:
                made = quick(frame) if quick is not None else None
                if made is None:
                    record = self._load(frame)
                    made = _scope(record), write(frame.time_ns, record)
            except ValueError as error:
                damaged[frame.lsn] = f"the record cannot be read: {error}"
                continue
            scope, encoded = made
            scopes.setdefault(scope, []).append(encoded)
            sound.append(frame)
        return scopes, sound, damaged


def _scope(record: Mapping[str, Any]) -> str:
    return str((record.get("scope") or {}).get("name", ""))
