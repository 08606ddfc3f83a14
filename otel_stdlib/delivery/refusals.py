"""What is done about records that a destination refuses: dead letters, or an outage that they wait for.

A run of refusals (see ``guard.py``) has two explanations: the target takes nothing, or these records are all
bad. A record from beyond the run decides. Where the target stores that one, the refused records are offered
once more, and what is refused again for the same reason becomes a dead letter at once. Where it is refused
as well, everything waits, and each source offers one record at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from otel_stdlib.delivery.abilities import can_try_out, keeps_position
from otel_stdlib.delivery.accept import accepted
from otel_stdlib.delivery.breaker import Breaker
from otel_stdlib.delivery.contract import Batch, Destination, Outcome, Source, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.guard import Guard, reason_key
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.outage import OutageNotice
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.spool.frame import Frame

__all__ = ["Refusals"]

_TAKEN = (Verdict.STORED, Verdict.DUPLICATE)
#: Bytes that one look beyond a run reads. The next one goes on where it ended, up to the newest record.
_BYTES = 8 << 20
_PIECE, _RECORDS = 256 << 10, 1_000


class Refusals:
    """The refusals of one destination. Used by its delivery thread.

    Args:
        enabled: False makes every refusal a dead letter at once.
    """

    def __init__(
        self,
        destination: Destination,
        dead_letters: DeadLetterFile,
        status: Status,
        accept: Callable[[Frame], bool] | None,
        *,
        enabled: bool,
    ) -> None:
        self._destination = destination
        self._dead_letters = dead_letters
        self._status = status
        self._accept = accept
        self._guard = Guard()
        keeps = keeps_position(destination)
        self._try_out = destination.try_out if keeps and can_try_out(destination) else None
        # What is stored out of order would move the target's position past records that wait.
        self._enabled = enabled and (not keeps or self._try_out is not None)
        #: Sources with refused records that wait.
        self._waiting: list[Lane] = []

    @property
    def waiting(self) -> bool:
        """Whether records wait because of a run of refusals."""
        return self._guard.waiting

    def are_an_outage(self, lane: Lane, batch: Batch, outcomes: Sequence[Outcome] | None) -> bool:
        """Whether the answer to a batch is no answer about its records: they all wait."""
        if outcomes is None:
            self.took(lane)
            return False
        if len(outcomes) != len(batch.frames):
            return False  # no answer at all
        reasons = [outcome.reason for outcome in outcomes if outcome.verdict is Verdict.REJECTED]
        if any(outcome.verdict in _TAKEN for outcome in outcomes):
            self.took(lane)
            return False
        if not reasons or not self._enabled or _are_cleared(lane, batch, reasons):
            return False
        if not self._guard.refused(reasons):
            return False
        lane.tried = max(lane.tried, batch.frames[-1].lsn)
        if lane not in self._waiting:
            self._waiting.append(lane)
        return True

    def took(self, lane: Lane) -> bool:
        """The target has stored a record of ``lane``; whether that ended an outage.

        What waits in other sources is offered again, and is at fault itself where it is refused again.
        """
        reason = self._guard.reason
        if not self._guard.took():
            return False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.scan = each.tried = 0
            each.backoff.succeed()
            if each is not lane:
                each.cleared = (reason, _end(each))
        return True

    def look_beyond(self, lane: Lane) -> bool:
        """Offer a record from beyond the run, or two; whether the target takes one, which ends the outage.

        Raises:
            DeliveryError: there is no verdict.
        """
        for found in self._beyond(lane):
            lane.tried = max(lane.tried, found.lsn)
            verdict = self._offer(Batch(lane.source.origin, [found], found.lsn, found.lsn + 1))
            if verdict in _TAKEN:
                if self._try_out is None:
                    self._status.counters.add(verdict.value)
                    lane.skip(found.lsn)
                reason = self._guard.reason
                self.took(lane)
                lane.cleared = (reason, max(lane.stretch_end, found.lsn + 1))
                return True
        return False

    def wait(
        self, lane: Lane, outcomes: Sequence[Outcome], breaker: Breaker, notice: OutageNotice, now: float
    ) -> None:
        """Keep what was refused in the spool: the breaker opens, and ever longer pauses begin."""
        self._status.counters.add("retried", len(lane.work[0].frames))
        lane.failures += 1
        lane.backoff.fail(now)
        breaker.trip(now)
        reason = next(outcome.reason for outcome in outcomes if outcome.verdict is Verdict.REJECTED)
        self._status.error(RetryableError(f"every record is refused, so they wait in the spool. {reason}"))
        notice.refuses(lane, reason)

    def bury(self, lane: Lane) -> None:
        """Write dead letters for what was refused for good.

        Raises:
            OSError: they could not be written; what was refused stays with the lane.
        """
        self._dead_letters.write(lane.source.origin, lane.rejected)
        count = len(lane.rejected)
        reason = lane.rejected[-1][1]
        lane.rejected.clear()
        self._status.counters.add("rejected", count)
        say(
            f"rejected:{self._destination.name}",
            f"{self._destination.name} refused {count} records for good, kept in "
            f"{self._dead_letters.path or 'memory'}: {reason}",
        )

    def _offer(self, batch: Batch) -> Verdict:
        if self._try_out is not None:
            return self._try_out(batch).verdict
        try:
            outcomes = self._destination.deliver(batch)
        except PermanentError:
            return Verdict.REJECTED
        return Verdict.STORED if outcomes is None else outcomes[0].verdict

    def _beyond(self, lane: Lane) -> Iterator[Frame]:
        """The last record of the stretch in work, and of what can be read behind it; none is offered twice."""
        if lane.work[-1].frames[-1].lsn > lane.tried:
            yield lane.work[-1].frames[-1]
        lane.scan = max(lane.scan, lane.stretch_end)
        found: Frame | None = None
        seen = 0
        for frames, end in _pieces(lane.source, lane.scan):
            lane.scan = end
            wanted = accepted(frames, self._accept)
            found = wanted[-1] if wanted else found
            seen += sum(len(frame.payload) for frame in frames)
            if seen >= _BYTES:
                break
        if found is not None and found.lsn > lane.tried:
            yield found


def _pieces(source: Source, start: int) -> Iterator[tuple[Sequence[Frame], int]]:
    """What lies at ``start`` and above, each piece with its end."""
    look = getattr(source, "look", None)
    if look is not None:
        # Reading notes what was read, to tell later what was saved from eviction: looking must not.
        yield from look(start, _PIECE)
        return
    while (chunk := source.read(start, _RECORDS, _PIECE)).end != start:
        start = chunk.end
        yield chunk.frames, start


def _end(lane: Lane) -> int:
    """Behind everything that a source has now."""
    try:
        return max(lane.stretch_end, lane.source.head())
    except OSError:
        return lane.stretch_end


def _are_cleared(lane: Lane, batch: Batch, reasons: Sequence[str]) -> bool:
    """Whether the target is known to take records while it refuses these for their reason."""
    if lane.cleared is None:
        return False
    known, end = lane.cleared
    if batch.frames[0].lsn >= end:
        return False
    return not known or all(reason_key(reason) == known for reason in reasons)
