"""The records of a table of frames that C makes without the GIL: see ``otel_stdlib._native``.

``quick.py`` specifies them, and makes those of lines that are not ordinary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from otel_stdlib._native import core
from otel_stdlib.spool.frame import Frame

__all__ = ["CompiledRecords", "Pieces"]

#: Bytes of records that are made at once.
_MOST_BYTES = 1 << 20
#: In place of a scope: frames that are not ordinary.
_LEFT_OUT = -1


class Pieces(NamedTuple):
    """Pieces of a line that repeat, and what a record has for them."""

    level: bytes
    level_field: bytes
    head: bytes
    tail: bytes
    place: bytes
    site: bytes
    scope: str


class _Writer:
    """A writer of C's, and the names of scopes by their numbers there."""

    def __init__(self) -> None:
        self.write = core.RecordWriter().write
        self._know = self.write.__self__.know
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def know(self, pieces: Pieces) -> None:
        """Make it known."""
        number = self._numbers.setdefault(pieces.scope, len(self.names))
        if number == len(self.names):
            self.names.append(pieces.scope)
        self._know(*pieces[:-1], number)


class CompiledRecords:
    """Makes records. Threads may share it: each has a writer of its own while it uses one."""

    def __init__(self) -> None:
        self._free: list[_Writer] = []

    def write(
        self,
        frames: Sequence[Frame],
        uid: bytes,
        scopes: dict[str, list[bytes]],
        pure: Callable[[Sequence[Frame]], None],
        look: Callable[[bytes], Pieces | None],
    ) -> None:
        """Put records into ``scopes``, several in one part.

        Args:
            frames: a table.
            uid: the attribute up to its last 14 characters.
            scopes: gets the records, by the names of their scopes.
            pure: makes the records of lines that are not ordinary.
            look: the pieces of a line; None: it is not ordinary.
        """
        try:
            writer = self._free.pop()
        except IndexError:
            writer = _Writer()
        first, count, learn, asked = 0, len(frames), True, -1
        while first < count:
            runs, first, is_new = writer.write(frames, first, uid, _MOST_BYTES, learn)
            for number, made in runs:
                if number == _LEFT_OUT:
                    pure(frames[slice(*made)])
                else:
                    scopes.setdefault(writer.names[number], []).append(made)
            if is_new:
                pieces = look(frames[first].payload)
                # Of a line that both cut in different places, nothing can be learned.
                learn, asked = pieces is not None and first != asked, first
                if pieces is not None:
                    writer.know(pieces)
        self._free.append(writer)
