"""Records that wait for one place in their target, such as a closed index, while others are delivered.

They are kept in memory and in the spool, whose cursor stays before the oldest of them. That holds back the
segments behind it, so it is bounded: beyond the bounds the oldest become dead letters, which can be sent again.
Only records that the target refused before it stored others: those refused since may be all that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from otel_stdlib.delivery.contract import Outcome
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.retry import Backoff
from otel_stdlib.spool.frame import Frame

__all__ = ["MOST_BYTES", "MOST_RECORDS", "Held"]

MOST_RECORDS = 20_000
MOST_BYTES = 16 << 20
_REASON = "it waited for longer than the spool can hold it beside other records: {}"


class _Waiting(NamedTuple):
    frame: Frame
    where: str
    reason: str
    #: How often the target had stored records when it was held back.
    since: int


class Held:
    """The records of one source that are held back. Used by the delivery thread, but for ``len``."""

    def __init__(self, policy: DeliveryPolicy, chance: Callable[[], float]) -> None:
        self._backoff = Backoff(policy.retry_delay, policy.max_retry_delay, chance)
        #: By LSN.
        self._waiting: dict[int, _Waiting] = {}
        self._bytes = 0
        #: How often the target has stored records.
        self._proofs = 0
        #: Batches in a row of which nothing was stored and that say that the target may be at fault.
        self.misses = 0
        #: Places that have taken a record again.
        self._open: set[str] = set()
        #: What was taken out to be tried, by LSN.
        self._tried: dict[int, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def first(self, end: int) -> int:
        """The LSN of the oldest one, or ``end`` where that is lower."""
        return min(end, min(self._waiting, default=end))

    def add(self, frame: Frame, outcome: Outcome) -> bool:
        """Hold a record back for ``outcome.where``; False: there is no room."""
        if len(self._waiting) >= MOST_RECORDS or self._bytes + len(frame.payload) > MOST_BYTES:
            return False
        tried = self._tried.pop(frame.lsn, None)
        since = self._proofs if tried is None else tried.since
        self._waiting[frame.lsn] = _Waiting(frame, outcome.where, outcome.reason, since)
        self._bytes += len(frame.payload)
        self._open.discard(outcome.where)
        return True

    def prove(self) -> None:
        """The target has stored a record: what is held back by now waits for its own place."""
        self._proofs += 1
        self.misses = 0

    @property
    def is_proved(self) -> bool:
        """Whether the target has stored a record since it refused one that waits, or is being tried."""
        every = (*self._waiting.values(), *self._tried.values())
        return any(each.since < self._proofs for each in every)

    def give_up(self) -> list[tuple[Frame, str]]:
        """Take out what waits for its own place for sure, with the reason."""
        known = sorted(lsn for lsn, each in self._waiting.items() if each.since < self._proofs)
        found = [self._take(lsn) for lsn in known]
        return [(each.frame, _REASON.format(each.reason)) for each in found]

    def is_due(self, now: float) -> bool:
        """Whether a try is due."""
        return bool(self._waiting) and (bool(self._open) or self._backoff.due <= now)

    def to_try(self, now: float, most: int) -> list[Frame]:
        """Take out one record of each place, or up to ``most`` of those that are open again; in the order of LSNs."""
        opened = [lsn for lsn, each in self._waiting.items() if each.where in self._open]
        if not opened:
            self._open.clear()
            self._backoff.fail(now)
        firsts = {self._waiting[lsn].where: lsn for lsn in sorted(self._waiting, reverse=True)}
        chosen = sorted((opened or list(firsts.values()))[:most])
        self._tried = {lsn: self._waiting[lsn] for lsn in chosen}
        return [self._take(lsn).frame for lsn in chosen]

    @property
    def is_trying(self) -> bool:
        """Whether records were taken out that have no answer yet."""
        return bool(self._tried)

    def stored(self, lsn: int) -> None:
        """A record is stored: if it was held back, its place is open again."""
        tried = self._tried.pop(lsn, None)
        if tried is not None:
            self._open.add(tried.where)
            self._backoff.succeed()

    def _take(self, lsn: int) -> _Waiting:
        found = self._waiting.pop(lsn)
        self._bytes -= len(found.frame.payload)
        return found
