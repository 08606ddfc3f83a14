"""The thread that asks filters for their reports when they are due. There is none while nothing is."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.threads import Event, RLock, Thread

__all__ = ["Due", "Ticker", "ticker"]


class Due(Protocol):
    """What the thread asks."""

    def report(self, now: float) -> float | None:
        """Log what is due at ``now`` (monotonic); when to ask again, None: not before it is set again."""


class Ticker:
    """Asks each member at its time. ``set`` and ``clear`` are for any thread; they never wait."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = RLock()
        self._due: weakref.WeakKeyDictionary[Due, float] = weakref.WeakKeyDictionary()
        self._wake = Event()
        self._is_running = False

    def set(self, member: Due, due: float) -> None:
        """Ask ``member`` at ``due`` (monotonic)."""
        if self._pid != os.getpid():  # the thread, and who set it, are the parent's
            self._reset()
        with self._lock:
            self._due[member] = due
            if self._is_running:
                self._wake.set()
                return
            self._is_running = True
        try:
            Thread(self._run, name="otel-stdlib-filters").start()
        except RuntimeError:  # the interpreter is ending: the exit hook asks everyone
            self._is_running = False

    def clear(self, member: Due) -> None:
        """``member`` has nothing to report any more. The thread ends when that is so for all."""
        if self._pid == os.getpid():
            with self._lock:
                self._due.pop(member, None)
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            now = monotonic()
            with self._lock:
                due = [member for member, when in list(self._due.items()) if when <= now]
                for member in due:
                    self._due.pop(member, None)
            for member in due:
                self._ask(member, now)
            del due
            with self._lock:
                if not self._due:
                    self._is_running = False
                    return
                first = min(self._due.values())
            self._wake.wait(max(0.0, min(first - monotonic(), 3_600.0)))

    def _ask(self, member: Due, now: float) -> None:
        try:
            again = member.report(now)
        except Exception:  # a thread for all filters cannot die of one
            again = now + 1.0
        if again is not None:
            with self._lock:
                self._due.setdefault(member, again)


ticker = Ticker()
