"""Whole lines on their way into a file, and cutting them at a line's end."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field

__all__ = ["Block"]


@dataclass
class Block:
    """Lines that go into a file together: all of them or none.

    ``marks`` are the lines' sequence numbers in order; what they belong to is ``key``, a spool's
    id, or "" for lines that no position is kept for.
    """

    key: str
    #: Whole lines, any number in each.
    chunks: list[bytes]
    marks: Sequence[int]
    #: Where reading the spool goes on once the lines are in the file; 0: as it was.
    cursor: int
    #: Below this, everything is stored once the lines are in the file.
    stored: int
    #: The CRC-32 of them all, where it is known already.
    known_crc: InitVar[int | None] = None
    #: Bytes.
    length: int = field(init=False)
    crc: int = field(init=False)

    def __post_init__(self, known_crc: int | None) -> None:
        self.length = sum(map(len, self.chunks))
        if known_crc is not None:
            self.crc = known_crc
            return
        crc = 0
        for chunk in self.chunks:
            crc = zlib.crc32(chunk, crc)  # lets other threads run between two pieces
        self.crc = crc

    def cut(self, room: int) -> tuple[Block | None, Block | None]:
        """The lines that fit into ``room`` bytes, and the rest; None where there are none."""
        if self.length <= room:
            return self, None
        head: list[bytes] = []
        lines = 0
        for number, chunk in enumerate(self.chunks):
            if len(chunk) <= room:
                head.append(chunk)
                room -= len(chunk)
                lines += chunk.count(b"\n")
                continue
            end = chunk.rfind(b"\n", 0, room) + 1
            if end:
                head.append(chunk[:end])
                lines += chunk.count(b"\n", 0, end)
            return self._parts(head, [chunk[end:], *self.chunks[number + 1 :]], lines)
        raise AssertionError("the chunks are shorter than the block")

    def first_line(self) -> tuple[Block, Block | None]:
        """The first line, and the rest."""
        head, rest = self.cut(self.chunks[0].index(b"\n") + 1)
        assert head is not None
        return head, rest

    def _parts(self, head: list[bytes], rest: list[bytes], lines: int) -> tuple[Block | None, Block]:
        if not lines:
            return None, self
        mark = self.marks[lines]
        # The first record of the rest begins where the cursor of the first part stands.
        first = Block(self.key, head, self.marks[:lines], min(mark, self.cursor), mark)
        return first, Block(self.key, rest, self.marks[lines:], self.cursor, self.stored)
