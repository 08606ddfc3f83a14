"""One source at one destination: what is read but not settled yet, and when to try again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from otel_stdlib.delivery.contract import Batch, Outcome, Source, Verdict
from otel_stdlib.delivery.held import Held
from otel_stdlib.delivery.linger import Linger
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.retry import Backoff
from otel_stdlib.facts.clock import wall
from otel_stdlib.spool.frame import Frame

__all__ = ["Lane"]

#: After so many unexpected errors in a row a batch is taken for one with a poison record.
UNEXPECTED = 5


class Lane:
    """The state of one source. Used by the delivery thread only, but for ``cursor``.

    A stretch of the spool is read, becomes one or more batches, and moves the cursor when
    every record of it is settled. Until then the cursor stays, so that a kill sends it again.
    """

    def __init__(
        self,
        source: Source,
        policy: DeliveryPolicy,
        chance: Callable[[], float],
        on_done: Callable[[Source], None] | None,
    ) -> None:
        self.source = source
        self.on_done = on_done
        #: Everything below is settled; read by other threads.
        self.cursor = source.load_cursor()
        self.positioned = False
        self.backoff = Backoff(policy.retry_delay, policy.max_retry_delay, chance)
        self.linger = Linger(policy.batch_age)
        #: Batches of the present stretch that are not settled.
        self.work: deque[Batch] = deque()
        #: Records that wait for one place in the target.
        self.held = Held(policy, chance)
        #: Whether those were tried last: then it is the others' turn.
        self._turn = False
        #: Everything below is settled or held: what is read next.
        self.next = self.cursor
        #: Rejected records that no dead letter holds yet.
        self.rejected: list[tuple[Frame, str]] = []
        self.stretch_end = self.cursor
        self.unexpected = 0
        #: Failures that were no answer: the end of a process does not wait for a second one.
        self.failures = 0
        #: What lies below does not linger: somebody waits for it. Set by other threads.
        self.hurry = 0
        #: Records behind the cursor that are stored already: not to be sent when their turn comes.
        self.ahead: set[int] = set()
        #: A reason ("": any) and an LSN: what is refused for it below that is at fault itself (see ``refusals.py``).
        self.cleared: tuple[str, int] | None = None
        #: In an outage: the last record that was refused, and how far was looked for one that is not.
        self.tried = self.scan = 0

    @property
    def busy(self) -> bool:
        """Whether a stretch is in work."""
        return bool(self.work or self.rejected)

    @property
    def failing(self) -> bool:
        """Whether the last try failed, or records wait for a place that takes none."""
        return self.backoff.failures > 0 or len(self.held) > 0

    def finished(self) -> bool:
        """Whether everything that the source has is settled; False when it cannot be read."""
        if self.busy:
            return False
        try:
            return self.cursor >= self.source.head()
        except OSError:
            return False

    def age(self) -> float:
        """Seconds since the oldest record that is not settled was logged; 0 when there is none."""
        if self.finished():
            return 0.0
        try:
            oldest = self.source.oldest_time_ns(self.cursor)
        except OSError:
            return 0.0
        return 0.0 if oldest is None else max(0.0, wall() - oldest / 1e9)

    def place(self, position: int | None) -> int:
        """Go on from where the destination itself says it is; how many records it had already.

        A stretch of which nothing is left by that is to be finished by the caller, who counts first.
        """
        self.positioned = True
        if position is None:
            return 0
        if self.busy:
            return self._drop_below(position)
        if position > self.cursor:
            self.settle(position)
        return 0

    def go_back(self, position: int) -> bool:
        """The destination has nothing from here on, whatever it said before; whether that lies behind us."""
        if position >= self.cursor:
            return False
        self.work.clear()
        self.stretch_end = position
        self.settle(position)
        return True

    def _drop_below(self, position: int) -> int:
        known = 0
        kept: deque[Batch] = deque()
        for batch in self.work:
            frames = [frame for frame in batch.frames if frame.lsn >= position]
            known += len(batch.frames) - len(frames)
            if frames:
                start = max(batch.start, min(position, frames[0].lsn))
                kept.append(Batch(batch.origin, frames, start, batch.end, batch.memo))
        self.work = kept
        return known

    def begin(self, frames: Sequence[Frame], start: int, end: int) -> None:
        """Take up a stretch."""
        self.stretch_end = end
        if self.ahead:
            frames = [frame for frame in frames if frame.lsn not in self.ahead]
        if frames:
            self.work.append(Batch(self.source.origin, frames, start, end))

    def is_idle(self, now: float, urgent: bool) -> bool:
        """Whether there is nothing to do now."""
        held = len(self.held) > 0 if urgent else self.held.is_due(now)
        return not self.busy and not held and self.next >= self.source.head()

    def try_held(self, now: float, urgent: bool, most: int) -> bool:
        """Put records that are held back to work, if that is due; in haste the others come first."""
        has_more = self.next < self.source.head()
        due = self.held.is_due(now) and not (has_more and self._turn)
        self._turn = False
        if not due and not (urgent and len(self.held) and not has_more):
            return False
        self._turn = True
        frames = self.held.to_try(now, most)
        self.work.append(Batch(self.source.origin, frames, frames[0].lsn, frames[-1].lsn + 1))
        return True

    def take(self, batch: Batch, outcomes: Sequence[Outcome] | None) -> tuple[int, int, int, int]:
        """Sort out the answer to the first batch; how many were stored, duplicate, to be retried, held back."""
        if outcomes is None:
            self.work.popleft()
            self._stored([frame.lsn for frame in batch.frames] if self.held.is_trying else ())
            return len(batch.frames), 0, 0, 0
        if len(outcomes) != len(batch.frames):
            raise ValueError(f"the destination answered for {len(outcomes)} of {len(batch.frames)} records")
        again: list[Frame] = []
        rejected: list[tuple[Frame, str]] = []
        taken: list[int] = []
        back: list[tuple[Frame, Outcome]] = []
        duplicate = 0
        for frame, outcome in zip(batch.frames, outcomes, strict=True):
            if outcome.verdict is Verdict.STORED or outcome.verdict is Verdict.DUPLICATE:
                taken.append(frame.lsn)
                duplicate += outcome.verdict is Verdict.DUPLICATE
            elif outcome.verdict is Verdict.RETRY:
                if outcome.where:
                    back.append((frame, outcome))
                else:
                    again.append(frame)
            else:
                rejected.append((frame, outcome.reason))
        # Only an answer that was read to its end takes the batch out: a wrong one loses nothing.
        self.work.popleft()
        self.rejected += rejected
        tried = self.held.is_trying
        if back and not taken and not tried and not self._has_more():
            again, back = [*again, *(frame for frame, _ in back)], []  # there is nothing that could go on
        full = [frame for frame, outcome in back if not self._hold(frame, outcome)]
        if taken:
            self._stored(taken)
        elif back:
            self.failures += tried
            self.held.misses += not (tried and self.held.is_proved)
        again = sorted([*again, *full], key=lambda frame: frame.lsn) if full else again
        if again:
            self.work.appendleft(Batch(batch.origin, again, batch.start, batch.end, batch.memo))
        return len(taken) - duplicate, duplicate, len(again), len(back) - len(full)

    def _has_more(self) -> bool:
        """Whether there are records behind the first batch."""
        try:
            return bool(self.work) or self.stretch_end < self.source.head()
        except OSError:
            return False

    def _stored(self, lsns: Sequence[int]) -> None:
        self.held.prove()
        if self.held.is_trying:
            for lsn in lsns:
                self.held.stored(lsn)

    def _hold(self, frame: Frame, outcome: Outcome) -> bool:
        if self.held.add(frame, outcome):
            return True
        self.rejected += self.held.give_up()
        return self.held.add(frame, outcome)

    def halve(self, reason: str) -> None:
        """The first batch was refused whole: find the record at fault, or give up the one that it is."""
        batch = self.work.popleft()
        if len(batch.frames) == 1:
            self.rejected.append((batch.frames[0], reason))
            return
        middle = len(batch.frames) // 2
        cut = batch.frames[middle].lsn
        # Each half keeps what the first try chose, so that a re-send goes to the same place.
        self.work.appendleft(Batch(batch.origin, batch.frames[middle:], cut, batch.end, batch.memo))
        self.work.appendleft(Batch(batch.origin, batch.frames[:middle], batch.start, cut, batch.memo))

    def split_first(self) -> None:
        """Leave one record in the first batch: the others wait for what becomes of it."""
        batch = self.work.popleft()
        if len(batch.frames) > 1:
            cut = batch.frames[1].lsn
            self.work.appendleft(Batch(batch.origin, batch.frames[1:], cut, batch.end, batch.memo))
            batch = Batch(batch.origin, batch.frames[:1], batch.start, cut, batch.memo)
        self.work.appendleft(batch)

    def skip(self, lsn: int) -> None:
        """A record was stored before its turn: it is not sent again."""
        self.ahead.add(lsn)
        kept: deque[Batch] = deque()
        for batch in self.work:
            frames = [frame for frame in batch.frames if frame.lsn != lsn]
            if len(frames) == len(batch.frames):
                kept.append(batch)
            elif frames:
                kept.append(Batch(batch.origin, frames, batch.start, batch.end, batch.memo))
        self.work = kept

    def keep_place(self) -> None:
        """Settle what lies before the first record of the stretch that is not, for whoever goes on with the spool."""
        if self.work and not self.rejected and self.work[0].frames[0].lsn > self.cursor:
            self.settle(self.work[0].frames[0].lsn)

    def note_unexpected(self) -> bool:
        """One more error that no destination should raise; True when the batch is to be halved for it."""
        self.unexpected += 1
        if self.unexpected < UNEXPECTED:
            return False
        self.unexpected = 0
        return True

    def finish(self) -> None:
        """The stretch in work is settled. The cursor moves last: who waited for it finds the rest done."""
        self.backoff.succeed()
        self.unexpected = 0
        if len(self.held) and self._is_far():
            self.rejected += self.held.give_up()
            if self.rejected:
                return  # their letters come first
        self.settle(self.stretch_end)

    def settle(self, end: int) -> None:
        """Everything below ``end`` is settled, but for what is held back."""
        self.next = end
        if len(self.held):
            end = self.held.first(end)
            if end < self.next and hasattr(self.source, "settle_ahead"):
                self.source.settle_ahead(self.next)
        self.source.save_cursor(end)
        self.cursor = end
        if self.ahead:
            self.ahead = {lsn for lsn in self.ahead if lsn >= end}
        if self.cleared is not None and self.cleared[1] <= end:
            self.cleared = None

    def _is_far(self) -> bool:
        """Whether what lies behind the first record that is held takes up more of the spool than it may."""
        most = getattr(self.source, "most_ahead", None)
        if most is None:
            return False
        distance = self.source.distance  # type: ignore[attr-defined]
        return bool(distance(self.held.first(self.stretch_end)) - distance(self.stretch_end) > most)
