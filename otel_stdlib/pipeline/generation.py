"""One spool with its keeper and delivery threads: what a pipeline has while it runs.

A pipeline that is closed, or finds itself in a forked child, drops its generation and makes
a new one at the next record. The old one delivers what it has and goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.delivery.fallback import Fallback
from otel_stdlib.delivery.sources import LiveSource, LiveView, Pick
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.threads import Event, Lock, RLock, Thread
from otel_stdlib.pipeline import report, succession
from otel_stdlib.pipeline.adoption import Adopter
from otel_stdlib.pipeline.diskreport import DiskReport
from otel_stdlib.pipeline.pace import Pace
from otel_stdlib.pipeline.sieve import Place, Sieve
from otel_stdlib.pipeline.status import status_of
from otel_stdlib.spool.keeper import Keeper
from otel_stdlib.spool.writer import Spool

__all__ = ["Generation"]

#: Seconds in which the keeper's thread is sure to have ended, unless the disk hangs.
_KEEPER_GRACE = 1.0


class Generation:
    """A running spool. ``start`` once; ``stop`` as often as wanted, from any thread."""

    def __init__(
        self,
        spool: Spool,
        workers: Mapping[str, DestinationWorker],
        origin: Origin,
        adopter: Adopter | None,
        counters: Counters,
        on_gone: Callable[[Generation], None],
        fallbacks: Mapping[str, Fallback] | None = None,
        places: Sequence[Place] = (),
    ) -> None:
        self.spool = spool
        #: Where its first record begins.
        self._begin = spool.published
        self.workers = workers
        self.fallbacks = fallbacks or {}
        self._running: list[DestinationWorker | Fallback] = [*workers.values(), *self.fallbacks.values()]
        self.adopter = adopter
        self._counters = counters
        self._disk = DiskReport(spool)
        self._losses = report.LossReport("spool", counters)
        self._on_gone = on_gone
        #: Its destinations in the manifest's order.
        self.places = places
        self.sieve: Sieve | None = None  # their filters
        picks = {key: Pick(number) for number, key in enumerate(workers)}
        picks.update({p.key: Pick(picks[p.key].target, p.wants_template) for p in places})
        self.sources = {
            key: LiveSource(spool, origin, key, partial(report.count_rescued, worker, counters), picks[key])
            for key, worker in workers.items()
        }
        for key, worker in workers.items():
            worker.is_nudged = True
            worker.add_source(self.sources[key])
        for key, fallback in self.fallbacks.items():
            # A view of its own: it is read by another thread, and its cursor is nobody's.
            fallback.add_view(LiveView(spool, origin, picks[key]))
        self.keeper = Keeper(
            spool, self._cursors, partial(report.count_lost, workers, counters, "evicted"), self._claim
        )
        self._wake = Event()
        self._closing_deadline: float | None = None
        self._closed_at: float | None = None
        self._thread: Thread | None = None
        #: Held while threads are started; after ``_stopped`` none is.
        self._start_lock = RLock()
        self._stopped = False
        self._retire_lock = Lock()
        self._retired = False
        #: Which generation goes on with what waits, once this one's delivery threads are told to leave.
        self.heir: Generation | None = None
        #: What it left when it retired, in words, and whether that was nothing.
        self.left, self._done = "", True
        #: Tells the keeper's thread to end.
        self._ended = False
        self._next_sync = 0.0
        self.watch: Callable[[float], None] | None = None  # called in each round until it is closed
        self._pace = Pace(spool)
        #: How far the delivery threads have been told of.
        self._nudged = 0

    def start(self) -> None:
        """Start the threads, unless another thread has stopped it meanwhile.

        Raises:
            RuntimeError: the interpreter is ending; then ``drain_here`` does their work.
        """
        with self._start_lock:
            if self._stopped:
                return
            succession.enter(self)
            self._thread = Thread(target=self._run, name="otel-stdlib-keeper")
            self._thread.start()
            for worker in self._running:
                if not self._stopped:  # by a signal handler, in this very thread
                    worker.start()

    def _start_no_more(self) -> None:
        with self._start_lock:
            self._stopped = True

    def _cursors(self) -> Sequence[int]:
        return [source.cursor for source in self.sources.values()]

    def _claim(self, start: int, stop: int) -> Sequence[int]:
        return [source.claim(start, stop) for source in self.sources.values()]

    # -- the keeper's thread ----------------------------------------------------------

    def _run(self) -> None:
        while not self._ended:
            self._nudge()
            try:
                self._round(monotonic())
            except Exception as error:  # a loop cannot die
                say("keeper", f"the spool's background thread met {type(error).__name__}: {error}")
            if self._closing_deadline is not None and self._finish(self._closing_deadline):
                return
            idle = any(worker.idle for worker in self._running)
            self._pace.rest(self._wake, monotonic(), self._closed_at, self._nudged if idle else None)

    def _nudge(self) -> None:
        """Wake the idle delivery threads when there are new records: a log call wakes no thread."""
        head = self.spool.published
        if head != self._nudged:
            self._nudged = head
            for worker in self._running:
                worker.nudge()

    def _round(self, now: float) -> None:
        self.keeper.tend(now)
        self._disk.tend()
        self._losses.tend()
        if self.watch is not None and not self.spool.sealed:
            self.watch(now)
        if self.adopter is not None:
            self.adopter.tend(now, self._closed_at is None)
        if self.spool.options.durability == "os" and now >= self._next_sync:
            self._next_sync = now + self.spool.options.sync_interval
            self.keeper.sync()

    # -- the end ---------------------------------------------------------------------

    def close_soon(self, deadline: float) -> None:
        """Seal the spool and let the background deliver the rest until ``deadline``. Never waits."""
        self.spool.seal()
        self._closed_at = monotonic()
        self._closing_deadline = deadline
        self._wake.set()
        for worker in self.workers.values():
            worker.wake()

    def _finish(self, deadline: float) -> bool:
        now = monotonic()
        if self.workers and not self.is_delivered() and (now < deadline or self.heir is not None):
            if not succession.is_left_behind(self):
                self._wake.clear()
                return False
            self.stop(now)
            if self.heir is not None:
                self.heir.look_now()
            return True
        self.stop(now + 1.0)
        return True

    def look_now(self) -> None:
        """Look for orphans in the keeper's next round: there is one."""
        if self.adopter is not None:
            self.adopter.hurry()
        self._wake.set()

    @property
    def is_running(self) -> bool:
        """Whether it takes records, and delivers."""
        return self._thread is not None and not (self._stopped or self._retired or self.spool.sealed)

    @property
    def is_retiring(self) -> bool:
        """Whether it is closed and still delivers."""
        return self.spool.sealed and not self._retired

    def is_delivered(self) -> bool:
        """Whether every destination has everything in this process's own spool; with none, whether it is empty."""
        settled = self.spool.settle()
        head = self.spool.published
        return settled and all(cursor >= head for cursor in self._cursors() or (self._begin,))

    def flush(self, timeout: float) -> bool:
        """Wait until every destination has what was logged before the call."""
        return succession.flush(self, timeout)

    def stop(self, deadline: float, *, adopting: bool = False) -> bool:
        """Deliver until ``deadline``, stop the threads, and delete the spool if nothing is left in it.

        With ``adopting``, what dead processes left is delivered too, after this process's own records.
        """
        self._start_no_more()
        self.spool.seal()
        self.spool.settle()
        adopting = adopting and self._end_keeper()
        if adopting and self.adopter is not None:
            self.adopter.look(monotonic())
        # The fallbacks too: what they write at the end is readable until the next process delivers it.
        for worker in self._running:
            worker.request_stop(deadline)
        for worker in self._running:
            worker.stop(deadline)
        # The keeper ends before the directory is deleted: it must not make a segment there meanwhile.
        self._end_keeper()
        if self.adopter is not None:
            if adopting:
                self.adopter.deliver(deadline)
            self.adopter.close()
        return self._retire()

    def _end_keeper(self) -> bool:
        """End its thread, and wait for that a moment; whether it has ended."""
        self._ended = True
        self._wake.set()
        if self._thread is None or self._thread.is_current():
            return True
        self._thread.join(_KEEPER_GRACE)
        return not self._thread.is_alive()

    def drain_here(self, deadline: float) -> bool:
        """The same on the calling thread, when no thread can be started."""
        self._start_no_more()
        self.spool.seal()
        self.spool.settle()
        for worker in self.workers.values():
            worker.drain_here(deadline)
        if self.adopter is not None:
            self.adopter.deliver(deadline)
            self.adopter.close()
        return self._retire()

    def finish_at_exit(self, deadline: float) -> bool:
        """``stop``, or ``drain_here`` where the threads could not be started."""
        return self.stop(deadline, adopting=True) if self._thread is not None else self.drain_here(deadline)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's descriptors. Its threads are not here."""
        self._retired = self._ended = True
        self.spool.abandon()
        if self.adopter is not None:
            self.adopter.abandon()

    def _retire(self) -> bool:
        with self._retire_lock:
            if self._retired:
                return self._done
            self._retired = True
            self._done = done = self.is_delivered()
            if not done:
                report.count_lost(self.workers, self._counters, "memory", self.keeper.only_in_memory())
                # Described now: when everything is closed it cannot be read any more.
                self.left = report.left_in(self.spool, self._cursors() or (self._begin,), self.workers)
            self._losses.tend()
            if self.spool.directory is not None:
                self.spool.directory.retire(done)
            if not any(worker.is_running() for worker in self._running):
                for source in self.sources.values():
                    source.close()
                self.keeper.close(done)
        self._on_gone(self)
        return done

    snapshot = status_of
