"""How much waits for a destination, in records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otel_stdlib.delivery.accept import accepted
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.facts.clock import wall
from otel_stdlib.spool.frame import Frame, payload_bytes

__all__ = ["MOST_COUNTED", "Backlog", "backlog_of"]

#: Bytes that are counted record by record, in a few milliseconds; the rest is estimated from them.
MOST_COUNTED = 1 << 20
_PIECE = 64 << 10


@dataclass(frozen=True)
class Backlog:
    """What waits."""

    records: int
    #: False: more than ``MOST_COUNTED`` bytes wait, and ``records`` is an estimate from those.
    is_exact: bool = True
    #: When the oldest was logged, nanoseconds since 1970.
    oldest_ns: int | None = None

    @property
    def count(self) -> str:
        """``140``, or ``about 1,300,000``."""
        return f"{self.records}" if self.is_exact else f"about {float(f'{self.records:.2g}'):,.0f}"

    @property
    def text(self) -> str:
        """``140 records``."""
        return f"{self.count} record" if self.records == 1 else f"{self.count} records"

    @property
    def age(self) -> str:
        """``12 s``: how long the oldest has waited."""
        if self.oldest_ns is None:
            return "0 s"
        seconds = max(0.0, wall() - self.oldest_ns / 1e9)
        return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def backlog_of(lane: Lane, accept: Callable[[Frame], bool] | None) -> Backlog:
    """What of a lane's source its destination does not have. Any thread: it has its own reader.

    A source that cannot be looked at twice, such as a list of given records, has nothing waiting.
    """
    look = getattr(lane.source, "look", None)
    if look is None:
        return Backlog(0)
    records, seen = len(lane.held), 0
    oldest: int | None = None
    start = position = lane.next
    try:
        if records:
            oldest = lane.source.oldest_time_ns(lane.cursor)
        head = lane.source.head()
        for frames, end in look(position, _PIECE):
            wanted = accepted(frames, accept)
            if wanted and oldest is None:
                oldest = wanted[0].time_ns
            records += len(wanted)
            seen += payload_bytes(frames)
            position = end
            if position >= head:
                return Backlog(records, True, oldest)
            if seen >= MOST_COUNTED:
                break
        # Both after the count, which a writer may have overtaken, and the smaller one first.
        rest = lane.source.distance(position)  # type: ignore[attr-defined]
        size = lane.source.distance(start)  # type: ignore[attr-defined]
    except OSError:
        return Backlog(records, False, oldest)
    held = len(lane.held)
    counted = round((records - held) * size / max(1, size - rest)) if rest else records - held
    return Backlog(held + counted, not rest, oldest)
