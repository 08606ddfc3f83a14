"""The delivery thread of one destination."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib.delivery.abilities import counts
from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.backlog import Backlog
from otel_stdlib.delivery.contract import Destination, Origin, Source
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.drain import drain_lane
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.threads import Event, Lock, Thread, acquire, wait_until
from otel_stdlib.spool.frame import Frame

__all__ = ["DestinationWorker"]

#: A waiting thread wakes at least so often, whatever it waits for.
_LONGEST_WAIT = 1.0
#: Seconds beyond the deadline in which a thread that is not stuck is sure to have ended.
_GRACE = 0.25
#: The deadline of one that leaves.
_LEAVE = 0.0


class DestinationWorker:
    """Delivers from sources to one destination, on one daemon thread of its own.

    A log call makes no system call and wakes no thread. While there is nothing to do, whoever watches the
    spool calls ``nudge``; after a batch the thread waits for ``policy.poll_interval`` seconds, so that
    a trickle of records goes in batches. Live records come first: a dead process's backlog delays them
    by one batch. ``start``, ``stop``, ``flush``, ``add_source`` and ``forget``: from any thread.
    """

    def __init__(
        self,
        destination: Destination,
        policy: DeliveryPolicy,
        *,
        dead_letters: DeadLetterFile,
        counters: Counters | None = None,
        accept: Callable[[Frame], bool] | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self.name = destination.name
        self._policy = policy
        self._clock = clock
        self.status = Status(counters or Counters())
        self._attempts = Attempts(destination, policy, dead_letters, self.status, accept, clock)
        self._destination = destination
        self._counters = destination.counters if counts(destination) else None
        self._lock = Lock()
        self._lanes: list[Lane] = []
        self._forgotten: list[Origin] = []
        self._wake = Event()
        #: Whether another thread calls ``nudge`` when there are records: then an idle thread does not poll.
        self.is_nudged = False
        #: Whether it waits with everything settled.
        self.idle = False
        self._deadline: float | None = None
        self._thread: Thread | None = None
        #: The thread has decided to end: a start makes another one.
        self._leaving = False
        #: Held by whoever serves lanes: the thread, or ``drain_here``.
        self._serving = Lock()

    # -- what others call ------------------------------------------------------------------

    def add_source(self, source: Source, on_done: Callable[[Source], None] | None = None) -> None:
        """Deliver from ``source`` too.

        ``on_done`` is called, on the delivery thread, when a dead process's source is wholly
        settled; it is then taken out.
        """
        lane = Lane(source, self._policy, random.random, on_done)
        with self._lock:
            self._lanes.append(lane)
        self._wake.set()

    def forget(self, origin: Origin) -> None:
        """Let the destination drop what it keeps for an origin that is delivered and deleted."""
        with self._lock:
            self._forgotten.append(origin)
        self._wake.set()

    def start(self) -> None:
        """Start the thread. Idempotent.

        Raises:
            RuntimeError: the interpreter is ending.
        """
        with self._lock:
            self._deadline = None
            if self._thread is not None and self._thread.is_alive() and not self._leaving:
                return  # one that a stop gave up on goes on as well
            self._leaving = False
            thread = Thread(target=self._run, name=f"otel-stdlib-{self.name}")
            thread.start()
            self._thread = thread

    def wake(self) -> None:
        """Look now instead of at the next poll."""
        self._wake.set()

    def nudge(self) -> None:
        """Wake the thread if it is idle: there may be new records."""
        if self.idle:
            self._wake.set()

    def flush(self, targets: Mapping[Source, int], timeout: float) -> bool:
        """Wait until each source is settled up to its LSN; False at the deadline."""
        deadline = monotonic() + timeout
        with self._lock:
            for lane in self._lanes:
                lane.hurry = max(lane.hurry, targets.get(lane.source, 0))
        self._wake.set()
        return wait_until(lambda: self._has_reached(targets), deadline)

    def _has_reached(self, targets: Mapping[Source, int]) -> bool:
        lanes = [lane for lane in self.lanes() if lane.source in targets]
        # A source that was taken out was settled.
        return all(lane.cursor >= targets[lane.source] for lane in lanes)

    def request_stop(self, deadline: float) -> None:
        """Drain until ``deadline`` (monotonic), then end. A failing destination gets one last try."""
        self._deadline = deadline
        self._wake.set()

    def leave(self) -> None:
        """End between two batches, without a last try: another worker goes on from there."""
        self.request_stop(_LEAVE)

    def stop(self, deadline: float) -> bool:
        """``request_stop`` and wait; whether everything was delivered. Never hangs with its destination."""
        self.request_stop(deadline)
        thread = self._thread
        if thread is not None and not thread.is_current():
            thread.join(max(0.0, deadline - monotonic()) + _GRACE)
        return self.is_drained()

    def drain_here(self, deadline: float) -> bool:
        """Drain on the calling thread, where no thread can be started."""
        self.request_stop(deadline)
        if acquire(self._serving, deadline):
            try:
                self._drain(deadline)
                self._close()
            finally:
                self._serving.release()
        return self.is_drained()

    def is_running(self) -> bool:
        """Whether its thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def is_drained(self) -> bool:
        """Whether every source is settled."""
        return all(lane.finished() for lane in self.lanes())

    def outage_since(self) -> float | None:
        """Since when, on the clock, the breaker has not been closed; None: it is closed."""
        return self._attempts.breaker.opened_at

    def backlog(self) -> Backlog:
        """What waits in this process's own spool."""
        live = (lane for lane in list(self._lanes) if lane.source.live)
        return next(map(self._attempts.backlog, live), Backlog(0))

    def cursors(self) -> dict[str, int]:
        """How far each source is, by spool id."""
        return {lane.source.origin.spool_id: lane.cursor for lane in self.lanes()}

    def lanes(self) -> list[Lane]:
        """A copy of the list of its lanes."""
        with self._lock:
            return list(self._lanes)

    def snapshot(self) -> dict[str, Any]:
        """A report: see ``docs/health.md``."""
        lanes = self.lanes()
        report = self.status.snapshot()
        report["circuit_breaker"] = self._attempts.breaker.state.value
        report["failing"] = any(lane.failing for lane in lanes)
        report["lag_seconds"] = max((lane.age() for lane in lanes if lane.source.live), default=0.0)
        report["sources"] = len(lanes)
        if self._counters is not None:
            report["counts"] = dict(self._counters.snapshot())
        return report

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        with self._serving:
            self.status.state = "running"
            try:
                self._loop()
            finally:
                self.status.state = "stopped"
                self._close()

    def _close(self) -> None:
        self._attempts.close()
        with self._lock:
            for lane in self._lanes:
                lane.positioned = False

    def _loop(self) -> None:
        worked = False
        while True:
            self._wake.clear()
            deadline = self._deadline
            if deadline is not None:
                self._drain(deadline)
                for lane in self.lanes() if deadline == _LEAVE else ():
                    lane.keep_place()
                with self._lock:
                    self._leaving = self._deadline is not None
                if self._leaving:
                    return
                continue  # started again meanwhile
            after_work = worked
            try:
                worked = self._round(urgent=False)
            except Exception as error:  # a loop cannot die
                say(
                    f"loop:{self.name}",
                    f"the delivery thread of {self.name} met {type(error).__name__}: {error}",
                )
                worked = False
            if not worked:
                self._rest(after_work)

    def _rest(self, after_work: bool) -> None:
        """Wait for records, for a pause to end, or to be woken."""
        pause = min(self._policy.poll_interval, _LONGEST_WAIT)
        if not after_work and self.is_nudged and self.outage_since() is None:
            lanes = self.lanes()
            # Set before the look: what is published after it is nudged for.
            self.idle = True
            if all(lane.source.live and lane.finished() for lane in lanes):
                pause = _LONGEST_WAIT
        self._wake.wait(pause)
        self.idle = False

    def _round(self, *, urgent: bool) -> bool:
        """Serve every lane once, the live ones after each of the others too."""
        with self._lock:
            live = [lane for lane in self._lanes if lane.source.live]
            others = [lane for lane in self._lanes if not lane.source.live]
        worked = False
        rounds: list[Lane | None] = [*others] or [None]
        for other in rounds:
            for lane in live:
                worked |= self._attempts.serve(lane, self._clock(), urgent=urgent)
            if other is not None:
                worked |= self._attempts.serve(other, self._clock(), urgent=urgent)
                self._finish(other)
            if self._deadline is not None and not urgent:
                break
        self._forget()
        return worked

    def _finish(self, lane: Lane) -> None:
        if not lane.finished():
            return
        with self._lock:
            self._lanes.remove(lane)
        lane.source.close()
        if lane.on_done is not None:
            lane.on_done(lane.source)

    def _forget(self) -> None:
        with self._lock:
            origins, self._forgotten = self._forgotten, []
        for origin in origins:
            try:
                self._destination.forget(origin)
            except Exception as error:
                self.status.error(error)

    def _drain(self, deadline: float) -> None:
        """Deliver this process's own records, then what dead ones left, until the deadline or a failing last try."""
        with self._lock:
            lanes = sorted(self._lanes, key=lambda lane: not lane.source.live)
        done = True
        for lane in lanes:
            if not done and not lane.source.live:
                break  # what it does not take from one it takes from no other
            done &= drain_lane(self._attempts, lane, deadline, self._clock)
            if not lane.source.live:
                self._finish(lane)
        self._forget()
