"""From memory back to the disk, when a disk that failed takes files again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.spool.segment import Segment
from otel_stdlib.spool.writer import Spool

__all__ = ["Healer", "is_in_memory"]

#: Seconds between attempts.
_EVERY = 1.0


def is_in_memory(spool: Spool) -> bool:
    """Whether records that were logged, or the next one, do not survive the process. Any thread."""
    current = spool.current().number
    return spool.directory is None or any(
        not segment.on_disk for segment in list(spool.segments.values()) if segment.number <= current
    )


class Healer:
    """Takes what memory holds to the disk, oldest first, and lets what follows go there. The keeper's thread."""

    def __init__(self, spool: Spool, cursors: Callable[[], Sequence[int]]) -> None:
        self._spool = spool
        self._cursors = cursors
        self._next = 0.0

    def tend(self, now: float) -> None:
        """One round: nothing, unless memory stands in for the disk."""
        spool = self._spool
        if spool.directory is None or now < self._next or not is_in_memory(spool):
            return
        self._next = now + _EVERY
        current = spool.current()
        if not current.on_disk and not spool.sealed:
            self._leave(current)
        self._save_full()

    def _leave(self, current: Segment) -> None:
        """Let the next record go to a file, of whatever size there is room for."""
        spool = self._spool
        made = spool.supply.on_disk(spool.options.segment_bytes >> 3, prepare=True)
        if made is None:
            return
        while (following := spool.chain.get(current.number)) is not None:
            if following.on_disk:
                spool.discard(made)
                spool.move_to(following)
                return
            current = following  # made ahead in memory: nobody is to begin in it
        spool.move_to(spool.link(current, made))

    def _save_full(self) -> None:
        spool = self._spool
        low = min(self._cursors(), default=0)
        writing = min(spool.published >> 32, spool.current().number)
        for number in sorted([*spool.segments]):
            segment = spool.segments.get(number)
            if segment is not None and number < writing and not segment.on_disk and number >= low >> 32:
                spool.supply.save(segment, low, spool.options.durability == "os")
