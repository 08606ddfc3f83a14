"""Rows of PostgreSQL of both flavours, for any lines."""

from __future__ import annotations

import random
from collections.abc import Sequence

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres.columns import STANDARD
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.handlers.postgres.shape import ColumnInfo, TableShape
from otel_stdlib.handlers.postgres.stream import RowStream
from otel_stdlib.spool.frame import Frame
from tests._native.lines import make_table, outcome_of

__all__ = ["Rows"]

_TEXTS = dict.fromkeys(STANDARD, ColumnInfo("text"))
_SHORT = {
    **_TEXTS,
    "severity_text": ColumnInfo("character varying", 4),
    "body": ColumnInfo("character varying", 30),
}


class Rows:
    """Encoders of both flavours, which remember what they met."""

    def __init__(self) -> None:
        origin = Origin("0" * 26, b'{"service.name":"a\\\\b","z":1}')
        self._pairs = [(encode(origin), encode(origin)) for encode in (_classic, _short)]
        self._all = self._slow = 0
        for compiled, _ in self._pairs:
            self._count(compiled)

    def _count(self, compiled: RowEncoder) -> None:
        row = compiled.row

        def counted(frame: Frame) -> bytes:
            self._slow += 1
            return row(frame)

        assert compiled.compiled is not None
        compiled.compiled._row = counted

    def compare(self, chance: random.Random) -> None:
        """Both make the same rows, or raise the same error."""
        table, frames = make_table(chance)
        compiled, pure = chance.choice(self._pairs)
        assert _all(compiled, table) == _all(pure, frames)
        self._all += len(frames)

    def paths(self) -> tuple[int, int]:
        """How many rows took each path: in C, and by Python."""
        return self._all - self._slow, self._slow


def _classic(origin: Origin) -> RowEncoder:
    return RowEncoder(TableShape(_TEXTS), origin)


def _short(origin: Origin) -> RowEncoder:
    return RowEncoder(TableShape(_SHORT), origin)


def _all(encoder: RowEncoder, frames: Sequence[Frame]) -> object:
    stream = RowStream(encoder, frames)
    return outcome_of(lambda: b"".join(iter(stream.read, b"")))
