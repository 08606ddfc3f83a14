"""What comes next in a source, read while its destination works on the batch before."""

from __future__ import annotations

from collections.abc import Sequence

from otel_stdlib.delivery.contract import Source
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.spool.frame import Frame, payload_bytes
from otel_stdlib.spool.reader import Chunk

__all__ = ["ReadAhead"]

#: Sources that are read ahead at the same time: memory for a batch of each.
_SOURCES = 2


class ReadAhead:
    """Reads of sources, one of each perhaps made before it is asked for. Used by one thread.

    Args:
        policy: the limits of a read.
    """

    def __init__(self, policy: DeliveryPolicy) -> None:
        self._records = policy.batch_records
        self._bytes = policy.batch_bytes
        self._enough = policy.enough
        #: By source: where the read began, what it gave, and the room that it left.
        self._kept: dict[Source, tuple[int, Chunk, int]] = {}

    def look(self, source: Source, start: int) -> Sequence[Frame]:
        """Read from ``start`` and keep it; what was read.

        Never raises: a source that fails does so again in ``read``.
        """
        self._kept.pop(source, None)
        try:
            chunk = source.read(start, self._records, self._bytes)
        except Exception:
            return ()
        while len(self._kept) >= _SOURCES:
            del self._kept[next(iter(self._kept))]
        if chunk.frames:
            room = self._bytes - payload_bytes(chunk.frames)
            self._kept[source] = (start, chunk, room)
        return chunk.frames

    def read(self, source: Source, start: int) -> Chunk:
        """What ``source.read`` gives now: what was kept, filled up with what has come since where it is little.

        Where it is enough to be sent it goes as it is: reading more beside a busy application takes
        many switch intervals, and the target has nothing to do meanwhile.
        """
        begin, kept, room = self._kept.pop(source, (-1, None, 0))
        if kept is None or begin != start:
            return source.read(start, self._records, self._bytes)
        if len(kept.frames) >= self._enough or room <= 0:
            return kept
        if type(kept.frames) is not list:
            # A table of the compiled walk: one of everything is a few microseconds, two would become a list.
            return source.read(start, self._records, self._bytes)
        more = source.read(kept.end, self._records - len(kept.frames), room)
        return Chunk([*kept.frames, *more.frames], more.end, kept.damaged + more.damaged)

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()
