"""One attempt at one lane: open, place, read, deliver, settle. No threads and no waiting here."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

from otel_stdlib.delivery.abilities import can_preview, has_meanwhile, renders_tables, tells_losses
from otel_stdlib.delivery.accept import accepted
from otel_stdlib.delivery.ahead import ReadAhead
from otel_stdlib.delivery.backlog import Backlog, backlog_of
from otel_stdlib.delivery.breaker import Breaker, BreakerState
from otel_stdlib.delivery.contract import Batch, Destination, Outcome, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.outage import OutageNotice
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.refusals import Refusals
from otel_stdlib.delivery.retry import asked_pause, to_retry
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.spool.frame import Frame

__all__ = ["Attempts"]

#: Records that a destination is shown of its next batch.
_SHOWN = 1_000


class _At(enum.Enum):
    """What is being asked: an error is its fault."""

    SOURCE = "source"
    DESTINATION = "destination"
    #: The destination with records in hand: it may stumble over one of them.
    BATCH = "batch"
    LETTERS = "letters"


class Attempts:
    """Serves lanes of one destination, one batch a call. Used by one thread at a time.

    Args:
        accept: whether the destination wants a frame; None: all. What it does not want is
            settled without being sent, and is not lost.
        wait_out: whether a run of refusals is an outage; False: every refusal is a dead letter.
    """

    def __init__(
        self,
        destination: Destination,
        policy: DeliveryPolicy,
        dead_letters: DeadLetterFile,
        status: Status,
        accept: Callable[[Frame], bool] | None,
        clock: Clock = monotonic,
        *,
        wait_out: bool = True,
    ) -> None:
        self.destination = destination
        self.breaker = Breaker(policy.circuit_breaker_threshold, policy.circuit_breaker_timeout)
        self._policy = policy
        self._status = status
        self._accept = accept
        self._notice = OutageNotice(destination.name, policy.max_retries, accept)
        #: Pauses begin when an attempt has ended, however long it took.
        self._clock = clock
        self._open = False
        self._next_probe = 0.0
        #: Whether a probe of the half-open breaker has passed.
        self._probed = False
        #: Until when the server asked for a pause.
        self._not_before = 0.0
        self._at = _At.SOURCE
        self._ahead = ReadAhead(policy)
        self._refusals = Refusals(
            destination, dead_letters, status, accept, enabled=wait_out and dead_letters.kept
        )
        if has_meanwhile(destination):
            destination.meanwhile = self._read_ahead
        self._preview = destination.preview if can_preview(destination) else None
        self._lost_from = destination.lost_from if tells_losses(destination) else None
        self._tables = renders_tables(destination)
        #: Whose batch is with the destination.
        self._delivering: Lane | None = None
        #: The last batch, freed while the target works on the next one: thousands of frames take milliseconds.
        self._spent: Batch | None = None

    def close(self) -> None:
        """Close the destination; it is opened again before the next batch."""
        self._open = False
        self._ahead.clear()
        self._spent = None
        self.destination.close()

    def serve(self, lane: Lane, now: float, *, urgent: bool = False) -> bool:
        """Do one piece of work; whether there was any. ``urgent`` overrides pauses and linger."""
        if not urgent and not self._is_due(lane, now):
            return False
        self._at = _At.SOURCE
        try:
            if lane.is_idle(now, urgent):
                self._spent = None
                return False
            self._prepare(lane)
            if not (
                lane.busy
                or lane.try_held(now, urgent, self._policy.batch_records)
                or self._read(lane, now, urgent)
            ):
                return False
            if lane.work:
                self._deliver(lane)
            if lane.rejected:
                self._at = _At.LETTERS
                self._refusals.bury(lane)
            self._at = _At.SOURCE
            if not lane.busy:
                lane.finish()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            self._failed(lane, error, self._clock())
        return True

    def _is_due(self, lane: Lane, now: float) -> bool:
        if now < self._not_before:
            return False
        if self._refusals.waiting:  # the server answers: each source asks it by itself, with one record
            return lane.backoff.due <= now
        if self.breaker.allows(now):
            return lane.backoff.due <= now
        if now < self._next_probe:
            return False
        self._next_probe = now + self._policy.health_check_interval
        try:
            self.destination.probe()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            self._status.error(error)
            self._next_probe = self._clock() + self._policy.health_check_interval
            return False
        self._probed = True
        self.breaker.half_open()
        return True

    def _prepare(self, lane: Lane) -> None:
        """Connected and asked for its position. A half-open breaker's destination is probed before it gets a batch."""
        self._at = _At.DESTINATION
        if self.breaker.state is BreakerState.HALF_OPEN and not self._probed:
            self.destination.probe()
            self._probed = True
        if not self._open:
            self.destination.open()
            self._open = True
        if not lane.positioned:
            self._place(lane)

    def _place(self, lane: Lane) -> None:
        """Go on where the target says that it is."""
        position = self.destination.position(lane.source.origin)
        lost = self._lost_from(lane.source.origin) if self._lost_from is not None else None
        self._at = _At.SOURCE
        if lost is not None and lane.go_back(lost):
            say(
                f"lost:{self.destination.name}",
                f"{self.destination.name} lost records that it had acknowledged: what the spool still has "
                "of them is sent again",
            )
        in_work = lane.busy
        known = lane.place(position)
        if known:
            self._status.counters.add("duplicate", known)
        if in_work and not lane.busy:  # only the answer had been lost
            self._alive(lane)
            lane.finish()

    def _read(self, lane: Lane, now: float, urgent: bool) -> bool:
        self._at = _At.SOURCE
        source, policy = lane.source, self._policy
        chunk = self._ahead.read(source, lane.next)
        frames: Sequence[Frame] = chunk.frames
        if frames:
            full = len(frames) >= policy.enough or chunk.end < source.head() or not source.live
            hurried = urgent or lane.next < lane.hurry
            if not lane.linger.ready(now, full=full or hurried):
                return False
        if chunk.damaged:  # not before the stretch is taken up: what lingers is read again
            self._status.counters.add("damaged", chunk.damaged)
            say(
                f"damaged:{self.destination.name}",
                f"{chunk.damaged} damaged records in the spool {source.origin.spool_id} were skipped",
            )
        frames = accepted(frames, self._accept)
        if not frames and chunk.end == lane.next:
            return False
        lane.begin(frames if self._tables or type(frames) is list else [*frames], lane.next, chunk.end)
        return True

    def _read_ahead(self) -> None:
        """What comes behind the stretch in work, while the target works on that."""
        self._spent = None
        lane = self._delivering
        if lane is not None and len(lane.work) == 1:
            frames = self._ahead.look(lane.source, lane.stretch_end)
            if frames and self._preview is not None:
                shown = frames[:_SHOWN]
                self._preview(lane.source.origin, accepted(shown, self._accept))

    def _deliver(self, lane: Lane) -> None:
        if self._refusals.waiting:
            lane.split_first()
            self.breaker.half_open()
        batch = lane.work[0]
        self._at = _At.BATCH
        self._delivering = lane
        outcomes: Sequence[Outcome] | None
        try:
            outcomes = self.destination.deliver(batch)
        except PermanentError as error:
            text = self._status.error(error)
            if len(batch.frames) > 1:
                # The server answered: it is well, and one record or more is not.
                self._alive(lane)
                lane.halve(text)
                return
            outcomes = [Outcome(Verdict.REJECTED, text)]
        if self._refusals.are_an_outage(lane, batch, outcomes):
            if self._refusals.look_beyond(lane):
                self._alive(lane)
            else:
                self._probed = False
                self._refusals.wait(lane, outcomes or (), self.breaker, self._notice, self._clock())
            return
        stored, duplicate, again, held = lane.take(batch, outcomes)
        self._spent = batch
        counters = self._status.counters
        counters.add("stored", stored)
        if duplicate:
            counters.add("duplicate", duplicate)
        if again:
            counters.add("retried", again)
            partial = to_retry(f"{again} of {len(batch.frames)} records are to be sent again", outcomes)
            lane.backoff.fail(self._clock())
            self._notice.failed(lane, self._status.error(partial))
            if again == len(batch.frames):
                self._down(self._clock())
                return
        if held:
            counters.add("retried", held)
            others = "" if lane.held.misses else ", others are delivered"
            text = self._status.error(to_retry(f"{held} records wait{others}", outcomes))
            if lane.held.misses:
                self._notice.failed(lane, text)
                if lane.held.misses % 2 == 0:  # after one, the next records may be others
                    self._down(self._clock())
            if not stored and not duplicate:
                return
        self._alive(lane)

    def _alive(self, lane: Lane) -> None:
        self.breaker.succeed()
        self._status.success()
        self._notice.works(lane)

    def _down(self, now: float) -> None:
        """It takes nothing: a failure for the breaker. Health checks begin one interval from now."""
        self._probed = False
        self.breaker.fail(now)
        self._next_probe = max(self._next_probe, now + self._policy.health_check_interval)

    def _failed(self, lane: Lane, error: BaseException, now: float) -> None:
        """Note a failure against what failed: a spool or a full disk is not the destination's fault."""
        text = self._status.error(error)
        if isinstance(error, ThrottledError):
            # The server is well and asks for time: for all that goes to it.
            if not self._refusals.waiting:
                self.breaker.succeed()
            lane.backoff.fail(now, error.retry_after)
            self._not_before = now + asked_pause(error.retry_after)
        else:
            lane.failures += 1
            lane.backoff.fail(now)
        if self._at is _At.BATCH:
            if not isinstance(error, ThrottledError):
                self._status.counters.add("retried", len(lane.work[0].frames))
            if not isinstance(error, RetryableError) and lane.note_unexpected():
                lane.halve(text)
        if self._at in (_At.BATCH, _At.DESTINATION):
            self._open = lane.positioned = False
            if not isinstance(error, ThrottledError):
                self._down(now)
        self._notice.failed(lane, text)

    def backlog(self, lane: Lane) -> Backlog:
        """What waits in a lane for this destination. Any thread."""
        return backlog_of(lane, self._accept)
