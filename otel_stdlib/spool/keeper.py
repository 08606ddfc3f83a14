"""The background side of this process's spool: segments made ahead, released, evicted, synced.

Called from one background thread, never from a log call.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from otel_stdlib.spool.answers import NO_FLOOR
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.heal import Healer
from otel_stdlib.spool.reader import Reader
from otel_stdlib.spool.segment import Segment
from otel_stdlib.spool.supply import FIRST_BYTES
from otel_stdlib.spool.writer import Spool

__all__ = ["Evicted", "Keeper"]

#: Of the cap: from here on records below WARNING are refused with ``overflow: shed``.
_SHED_AT = 0.8
_WARNING = 30
#: Of a segment: only one that is used so far gets a follower. At full speed seven eighths last some
#: 150 ms, which is time enough to make one; a process that hardly logs makes none, and so does each
#: of many short-lived generations.
_WANTED_AT = 1 / 8
#: The first one is small: a process that logs some hundred records never fills it.
_WANTED_FIRST_AT = 1 / 2
#: With ``overflow: block`` every level waits.
_EVERY_LEVEL = 1 << 200
_PIECE = 1000


class Evicted(NamedTuple):
    """What one destination lost of a segment, by severity number; nothing where it had all of it."""

    cursor: int
    by_severity: Counter[int]


class Keeper:
    """Keeps one spool in shape.

    Args:
        spool: the spool.
        cursors: answers with every destination's cursor.
        on_evicted: is told what each destination lost, in the order of ``cursors``; one entry where there is none.
        claim: is told the LSNs of a segment that is about to be evicted, from and below, and answers
            with every destination's cursor at that moment; None: ``cursors`` is asked.
    """

    def __init__(
        self,
        spool: Spool,
        cursors: Callable[[], Sequence[int]],
        on_evicted: Callable[[Sequence[Evicted]], None],
        claim: Callable[[int, int], Sequence[int]] | None = None,
    ) -> None:
        self._spool = spool
        self._cursors = cursors
        self._on_evicted = on_evicted
        self._claim = claim
        self._healer = Healer(spool, cursors)
        self._rolled_at = 0.0
        self._last_number = 0
        self._ahead = 1

    def tend(self, now: float) -> None:
        """One round; some milliseconds when a segment has to be made. ``now`` is monotonic."""
        if self._spool.directory is not None:
            self._spool.directory.keep_lock()
        self._spool.settle()
        self.release()
        self._healer.tend(now)
        if not self._spool.sealed:
            self._make_room()
            self._prepare(now)

    def _prepare(self, now: float) -> None:
        spool = self._spool
        tip = spool.current()
        if tip.number != self._last_number:
            # Two segments ahead while one lasts for less than a second.
            self._ahead = 2 if now - self._rolled_at < 1.0 else 1
            self._rolled_at = now
            self._last_number = tip.number
        first = tip.capacity <= FIRST_BYTES < spool.options.segment_bytes
        wanted_at = _WANTED_FIRST_AT if first else _WANTED_AT
        if tip.reserved - tip.base < tip.capacity * wanted_at:
            return
        for _ in range(self._ahead):
            following = spool.chain.get(tip.number)
            if following is None:
                if spool.used_bytes() + spool.options.segment_bytes > spool.cap:
                    return
                following = spool.extend(tip, prepare=True)
            if following is None:
                return
            tip = following

    def release(self) -> None:
        """Unmap what is full, delete what every destination has."""
        spool = self._spool
        writing = spool.published >> 32
        low = min(self._cursors(), default=0) >> 32
        for segment in sorted(spool.segments.values(), key=lambda s: s.number):
            if segment.number >= writing or segment.number >= spool.current().number:
                break
            # ``published`` in a later segment: no writer holds a reservation in this one.
            segment.unmap()
            if segment.number < low:
                self._forget(segment)

    def close(self, delivered: bool) -> None:
        """Close every descriptor. Only when no thread delivers any more; mappings stay for a call that is late."""
        spool = self._spool
        for segment in list(spool.segments.values()):
            if delivered:
                segment.unmap()
            if segment.descriptor is not None:
                segment.descriptor.close()
        if spool.directory is not None:
            spool.directory.close()

    def _forget(self, segment: Segment) -> None:
        self._spool.discard(segment)
        self._spool.chain.pop(segment.number, None)

    def _make_room(self) -> None:
        spool = self._spool
        cap = spool.cap
        used = spool.used_bytes()
        size = spool.options.segment_bytes
        blocked = spool.options.overflow == "block"
        # While memory stands in for the disk nothing that is on the disk has to go.
        tight = spool.disk_error is not None and not self._has_next() and spool.memory_is_full()
        # A following segment that is ready needs no more room yet.
        crowded = used > cap or (used + size > cap and not self._has_next())
        while (crowded or tight) and not blocked:
            oldest = self._oldest_full()
            if oldest is None:
                break
            self._evict(oldest)
            used = spool.used_bytes()
            crowded = used + size > cap
            tight = False
        full = used + size > cap
        if blocked:
            spool.floor = _EVERY_LEVEL if full and not self._has_next() else NO_FLOOR
        elif spool.options.overflow == "shed":
            # What lies undelivered, not the segments made ahead, says how near the cap is.
            # With few segments 80 % lies beyond the first eviction: then one segment is for warnings.
            limit = min(_SHED_AT * cap, cap - 2 * size)
            spool.floor = _WARNING if self.waiting_bytes() > limit else NO_FLOOR

    def waiting_bytes(self) -> int:
        """The size of the segments that hold records somebody still waits for."""
        spool = self._spool
        current = spool.current().number
        return sum(s.capacity for s in list(spool.segments.values()) if s.number <= current)

    def _has_next(self) -> bool:
        return self._spool.chain.get(self._spool.current().number) is not None

    def _oldest_full(self) -> Segment | None:
        spool = self._spool
        writing = min(spool.published >> 32, spool.current().number)
        # Copied first: a log call makes segments meanwhile.
        full = [number for number in list(spool.segments) if number < writing]
        return spool.segments[min(full)] if full else None

    def _evict(self, segment: Segment) -> None:
        # Counted before it goes: an evicted record is a lost one for whoever had not read it.
        start, stop = segment.base, (segment.number + 1) << 32
        cursors = self._cursors() if self._claim is None else self._claim(start, stop)
        lost = _losers(cursors)
        self._count(segment, stop, lost)
        # Told first as well: whoever finds it gone, ``flush`` for one, finds it counted.
        self._on_evicted(lost)
        self._forget(segment)

    def only_in_memory(self) -> Sequence[Evicted]:
        """What each destination still waits for in segments that are no files: lost with the process."""
        spool = self._spool
        lost = _losers(self._cursors())
        for segment in list(spool.segments.values()):
            if not segment.on_disk:
                self._count(segment, min(spool.published, (segment.number + 1) << 32), lost)
        return lost

    def _count(self, segment: Segment, stop: int, lost: Sequence[Evicted]) -> None:
        reader = Reader(_Only(segment, stop), self._spool.seed)
        position = segment.base
        while position < stop:
            frames, position, _ = reader.read(position, _PIECE, 1 << 20)
            for entry in lost:
                if entry.cursor < stop:
                    entry.by_severity.update(_severities(frames, entry.cursor))

    def sync(self) -> None:
        """Bring everything published to the disk and note how far: ``spool.synced``.

        Raises:
            OSError: the disk refused; ``synced`` stays.
        """
        spool = self._spool
        target = spool.published
        first, last = spool.synced >> 32, target >> 32
        for number in sorted(n for n in list(spool.segments) if first <= n <= last):
            segment = spool.segments.get(number)
            if segment is not None and segment.descriptor is not None:
                os.fdatasync(segment.descriptor.fd)
        spool.synced = target


def _losers(cursors: Sequence[int]) -> list[Evicted]:
    """Whose losses are counted: every destination's; without one all records are lost once."""
    return [Evicted(cursor, Counter()) for cursor in cursors or (0,)]


def _severities(frames: Sequence[Frame], cursor: int) -> list[int]:
    return [frame.severity for frame in frames if frame.lsn >= cursor]


class _Only:
    """A store of one segment, up to a position."""

    def __init__(self, segment: Segment, head: int) -> None:
        self._segment = segment
        self._head = head

    def head(self) -> int:
        return self._head

    def segment(self, number: int) -> Segment | None:
        return self._segment if number == self._segment.number else None

    def next_number(self, after: int) -> int | None:
        return None
