"""From a log call to delivery in this process: the encoder, the current generation, forks, the end."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from otel_stdlib.facts import diagnostics
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.severity import level_of
from otel_stdlib.facts.suppressed import Suppressed
from otel_stdlib.facts.threads import RLock
from otel_stdlib.pipeline import exit as exit_hook
from otel_stdlib.pipeline.build import build_generation
from otel_stdlib.pipeline.encoders import Encoders
from otel_stdlib.pipeline.generation import Generation
from otel_stdlib.pipeline.outlet import Outlet
from otel_stdlib.pipeline.report import losses, say_left
from otel_stdlib.pipeline.succession import predecessors
from otel_stdlib.record.encoder import forget_inherited_sites
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.spool.answers import SEALED
from otel_stdlib.spool.directory import abandon_inherited
from otel_stdlib.spool.forkguard import new_guard
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["Pipeline"]

_NOT_STARTED = b"\0"  # a guard that always says: not started here


class Pipeline(Encoders):
    """Takes records from any thread and delivers them to its outlets.

    Inert until the first record of each process, or ``start``. ``log`` never raises and never
    waits; ``durability: record`` is the exception, by the user's choice.

    Args:
        name: for reports.
        formatter: answers with the formatter that encodes; asked once per generation.
        outlets: answers with the destinations; asked once per generation, so that names can
            be resolved when everything is configured.
        options: of the spool.
        respect_level: whether an outlet's own level counts.
        filters: whether an outlet's own filters are run here. Otherwise they have been already.
        shutdown_timeout: seconds that the end of the process waits for delivery.
    """

    def __init__(
        self,
        name: str,
        formatter: Callable[[], OTelFormatter],
        outlets: Callable[[], Sequence[Outlet]],
        options: SpoolOptions,
        *,
        respect_level: bool = True,
        filters: bool = False,
        shutdown_timeout: float = 5.0,
    ) -> None:
        self.name = name
        self.options = options
        self.shutdown_timeout = shutdown_timeout
        #: Whether SIGTERM drains every pipeline of the process, where it would kill at once.
        self.drain_on_sigterm = False
        #: Called by the keeper's thread now and then, with the monotonic time.
        self.watch: Callable[[float], None] | None = None
        self.respect_level = respect_level
        self._filters = filters
        self.counters = Counters()
        self.suppressed = Suppressed()  # by filters in front of it
        self._formatter = formatter
        self._outlets = outlets
        self._guard: Any = _NOT_STARTED
        self._pid = os.getpid()
        self._lock = RLock()
        self._starting = False
        self._early: list[logging.LogRecord] = []
        self._generation: Generation | None = None
        #: What was detached and still delivers. Whoever looks at ``_generation`` first misses none.
        self._retiring: list[Generation] = []
        self._detaching = RLock()
        self._successor: Pipeline | None = None
        exit_hook.prepare()
        self._make_encoders()

    # -- the log call -------------------------------------------------------------------

    def log(self, record: logging.LogRecord) -> None:
        """Take one record."""
        append = self._append  # first: what is encoded for one spool must not go into the next one
        encoded = self._encode(record)
        if encoded is None:
            return  # logged by a delivery thread of ours: it must not feed itself
        payload, severity, time_ns = encoded
        try:
            # Looked at after encoding, which runs code of others: it may have forked.
            if not self._guard[0]:
                if not self._take_on(record):
                    return
                append = self._append
            if append(payload, record.levelno, severity, time_ns) == SEALED:
                self._append_again(record)
        except Exception:
            if isinstance(record.levelno, int):
                raise
            # A record that was made by hand may have no level, or a text for one.
            if append(payload, level_of(record), severity, time_ns) == SEALED:
                self._append_again(record)

    # -- start and fork -----------------------------------------------------------------

    def start(self) -> None:
        """Start now what the first record would start: orphans are looked for from here on."""
        self._begin()

    def _begin(self) -> bool:
        """Make sure that a generation runs in this process; False inside its own making."""
        if self._pid != os.getpid():
            self._reset_after_fork()
        with self._lock:
            if self._starting:
                return False
            if self._guard[0] and self._generation is not None:
                return True
            self._starting = True
            try:
                self._make_generation()
            finally:
                self._starting = False
            while self._early:
                self.log(self._early.pop(0))
        return True

    def _make_generation(self) -> None:
        formatter = self._formatter()
        generation = build_generation(
            self._outlets(),
            formatter,
            self.options,
            self.counters,
            self._forget_generation,
            self.respect_level,
            self._filters,
        )
        generation.sieve = self._make_sieve(formatter, generation.places)
        generation.sieve.watch(self.choose_encoder)
        generation.watch = self.watch
        if self.watch is not None:
            self.watch(monotonic())
        with self._detaching:
            self._append = generation.spool.append
            self._generation = generation
            self.choose_encoder()
            self._guard = new_guard()
        exit_hook.register(self)
        _pipelines.add(self)
        if not exit_hook.is_exiting():
            try:
                generation.start()
            except RuntimeError as error:
                say("exit", f"records logged while the interpreter ends wait in the spool ({error})")

    def _reset_after_fork(self) -> None:
        # The parent's descriptors are closed by letting go of them, its locks are never unlocked,
        # and its mapping stays for a log call of the parent's that the fork cut in two.
        self._pid = os.getpid()
        self._lock = RLock()
        self._starting = False
        self._early = []
        self.counters.after_fork()
        self.redacted.after_fork()
        self.suppressed.after_fork()
        inherited = [*self._retiring, self._generation]
        self._generation, self._retiring = None, []
        self._detaching = RLock()
        self._guard = _NOT_STARTED
        for generation in inherited:
            if generation is not None:
                generation.abandon()
        abandon_inherited()
        forget_inherited_sites()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's spool at once, where Python runs fork hooks."""
        diagnostics.after_fork()
        exit_hook.after_fork_in_child()
        if self._pid != os.getpid():
            self._reset_after_fork()

    # -- flush and end -------------------------------------------------------------------

    def flush(self, timeout: float) -> bool:
        """Wait until every destination has what was logged before; False at the deadline."""
        if self._pid != os.getpid():
            return True
        deadline = monotonic() + timeout
        done = True
        generation = self._generation
        # One without a destination leaves its records in the spool, and has reported that.
        retiring = [each for each in self._retiring if each.workers]
        for each in [*retiring, *([] if generation is None else [generation])]:
            done &= each.flush(max(0.0, deadline - monotonic()))
        return done

    def deliver(self, deadline: float) -> None:
        """``flush`` until ``deadline``; a destination that fails is not waited for."""
        while not self.flush(max(0.0, min(0.05, deadline - monotonic()))):
            waiting = [each for each in self.snapshot().get("destinations", {}).values() if each["lag_bytes"]]
            if monotonic() >= deadline or (waiting and all(each["failing"] for each in waiting)):
                return

    def close_soon(self) -> None:
        """Seal what runs and let the background deliver it. A later record starts anew. Never waits.

        When the exit hook has run already there is no background any more: then what was logged
        since is delivered here, within ``shutdown_timeout``.
        """
        if exit_hook.is_exiting():
            self.drain_at_exit(monotonic() + self.shutdown_timeout)
            return
        generation = self._detach()
        if generation is not None:
            generation.close_soon(monotonic() + max(self.shutdown_timeout, 60.0))

    def hand_over(self, successor: Pipeline) -> None:
        """``close_soon``, for good: log calls that are still on their way here go to ``successor``."""
        # Set first: whoever finds this pipeline closed also finds its successor.
        self._successor = successor
        self.close_soon()

    def stop(self, timeout: float | None = None, *, report: bool = False) -> bool:
        """Deliver until the deadline and stop the threads; True when nothing is left.

        With ``report`` one line on stderr tells what is left, and why.
        """
        deadline = monotonic() + (self.shutdown_timeout if timeout is None else timeout)
        done = True
        self._detach()
        for each in list(self._retiring):
            if not each.stop(deadline, adopting=monotonic() < deadline):
                done = False
                if report:
                    say_left(self.name, each.spool.spool_id, each.left)
        return done

    def _detach(self) -> Generation | None:
        if self._pid != os.getpid():
            self._reset_after_fork()
        with self._detaching:
            generation = self._generation
            if generation is not None:
                self._retiring.append(generation)  # first: at no time is it in neither place
            self._generation = None
            self._guard = _NOT_STARTED
            self._encode = self._first  # the next generation may have other handlers, with filters
        return generation

    def _forget_generation(self, generation: Generation) -> None:
        with self._detaching:
            if generation in self._retiring:
                self._retiring.remove(generation)

    def forsake_calls(self) -> None:
        """Wait for no log call that the calling thread is in: a signal handler says so, and does not go back there."""
        for each in [*self._retiring, self._generation]:
            if each is not None:
                each.spool.forsake_calls()

    def drain_at_exit(self, deadline: float) -> None:
        """The atexit hook's part: deliver until ``deadline`` and say what is left."""
        if self._pid != os.getpid():
            return
        self._detach()
        for each in list(self._retiring):
            if not each.finish_at_exit(deadline):
                say_left(self.name, each.spool.spool_id, each.left)

    def snapshot(self) -> dict[str, Any]:
        """A status report: states, lags and losses. Any thread; never waits."""
        generation = self._generation if self._pid == os.getpid() else None
        report: dict[str, Any] = {
            "state": "idle" if generation is None else "running",
            "dropped": losses(self.counters.snapshot()),
            "suppressed": self.suppressed.snapshot(),
            "retiring": len(self._retiring),
            **self.redaction_report(),
        }
        if generation is not None:
            report.update(generation.snapshot())
            former = [each for each in predecessors(generation) if each not in self._retiring]
            report["retiring"] += len(former)
        return report


_pipelines = ForkRegistry(Pipeline.after_fork_in_child)
