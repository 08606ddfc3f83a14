"""Frames in order across the segments of a spool, by ``pread``: live or left by a dead process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from otel_stdlib._native import core
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.walk import walk

__all__ = ["OFFSET_MASK", "Chunk", "Readable", "Reader", "Store"]

OFFSET_MASK = 0xFFFFFFFF
#: Bytes of one ``pread``. Python parses a piece with the GIL held, within about a millisecond; C without it.
_PIECE = 512 << 10 if core is None else 4 << 20


class Readable(Protocol):
    """A segment as a reader sees it."""

    number: int
    capacity: int
    #: Where its frames begin; None when its header is damaged and that must be searched for.
    header_size: int | None

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset``, fewer at the end."""


class Store(Protocol):
    """The segments of one spool."""

    def head(self) -> int:
        """The LSN below which every frame is committed."""

    def segment(self, number: int) -> Readable | None:
        """A segment, None when it is gone."""

    def next_number(self, after: int) -> int | None:
        """The lowest segment number above ``after``."""


class Chunk(NamedTuple):
    """What one read gave."""

    frames: Sequence[Frame]
    #: The LSN from which the next read goes on; the frames and anything skipped lie below it.
    end: int
    #: Damaged frames that were skipped: lost, and to be counted.
    damaged: int


class Reader:
    """Reads one store. Not thread-safe: every destination has its own."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self.seed = seed
        #: (LSN, True) when the last read stopped inside a gap: see ``walk``.
        self._gap: int | None = None

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Up to ``max_records`` frames in about ``max_bytes`` from ``start``; at least one if there is one."""
        found: list[Sequence[Frame]] = []
        damaged = 0
        head = self._store.head()
        # What C found stays as it is, one part a read: several would have to become a list of objects.
        while start < head and max_records > 0 and max_bytes > 0 and not (found and core is not None):
            number = start >> 32
            segment = self._store.segment(number)
            if segment is None:
                following = self._store.next_number(number)
                start = head if following is None else min(following << 32, head)
                continue
            limit = head & OFFSET_MASK if number == head >> 32 else segment.capacity
            begin = start
            frames, start, lost_frames, done = self._read_segment(
                segment, start, limit, max_records, max_bytes
            )
            if frames:
                found.append(frames)
            damaged += lost_frames
            max_records -= len(frames)
            max_bytes -= start - begin
            if done:
                if number == head >> 32:
                    start = head
                else:
                    following = self._store.next_number(number)
                    start = head if following is None else min(following << 32, head)
        return Chunk(_joined(found), start, damaged)

    def _read_segment(
        self, segment: Readable, start: int, limit: int, max_records: int, max_bytes: int
    ) -> tuple[Sequence[Frame], int, int, bool]:
        """(frames, where it stopped, damaged frames, whether the segment has no more below ``limit``)."""
        offset = start & OFFSET_MASK
        base = start - offset
        lost = self._gap == start
        self._gap = None
        if offset == 0 and not lost:
            lost = segment.header_size is None
            offset = segment.header_size or 0
        damaged = 0
        size = min(max(max_bytes, 4096), _PIECE)
        while offset < limit:
            data = segment.read_at(offset, min(size, limit - offset))
            if not data:
                return (), base + limit, damaged, True
            room = limit - offset
            if len(data) < size and len(data) < room:
                room = len(data)  # the file is shorter than it should be: somebody cut it
            step = walk(data, 0, base + offset, self.seed, max_records, room, lost)
            damaged += step.damaged
            lost = step.lost
            if not step.hungry:
                if len(step.frames) >= max_records:
                    self._gap = base + offset + step.position if lost else None
                    return step.frames, base + offset + step.position, damaged, False
                return step.frames, base + limit, damaged, True
            offset += step.position
            if step.frames:
                self._gap = base + offset if lost else None
                return step.frames, base + offset, damaged, False
            if not lost:
                size = max(size, len(data) * 4)  # one frame longer than the buffer
        return (), base + limit, damaged, True


def _joined(parts: list[Sequence[Frame]]) -> Sequence[Frame]:
    if len(parts) == 1:
        return parts[0]
    return [frame for part in parts for frame in part]
