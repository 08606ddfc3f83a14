"""OTLP's requests of both flavours, for any lines."""

from __future__ import annotations

import random
from collections.abc import Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.otlp.body import PROTOBUF, Encoded, Encoder
from otel_stdlib.spool.frame import Frame
from tests._native.lines import make_table

__all__ = ["Requests"]

ORIGIN = Origin("0" * 26, b'{"service.name":"shop"}')


class Requests:
    """Encoders of both flavours, which remember what they met."""

    def __init__(self) -> None:
        self._compiled, self._pure = Encoder(PROTOBUF), Encoder(PROTOBUF)
        self._all = self._slow = 0
        write = self._compiled._quick._write

        def counted(frames: Sequence[Frame], **others: object) -> None:
            self._slow += len(frames)
            write(frames, **others)  # type: ignore[arg-type]

        self._compiled._quick._write = counted  # type: ignore[assignment, method-assign]

    def compare(self, chance: random.Random) -> None:
        """Both make the same request, and find the same lines to be no records."""
        table, frames = make_table(chance)
        made, expected = self._compiled.encode(ORIGIN, table), self._pure.encode(ORIGIN, frames)
        assert made.damaged == expected.damaged
        assert [*made.frames] == [*expected.frames]
        assert made.body == expected.body or _read(made) == _read(expected)
        self._all += len(frames)

    def paths(self) -> tuple[int, int]:
        """How many records took each path: in C, and by Python."""
        return self._all - self._slow, self._slow


def _read(made: Encoded) -> ExportLogsServiceRequest:
    """What it says: of a line that only looks as if it held bytes, Python writes the fields in another order."""
    return ExportLogsServiceRequest.FromString(made.body)
