"""Counters that several threads add to and a status report reads."""

from __future__ import annotations

from collections.abc import Mapping

from otel_stdlib.facts.threads import RLock

__all__ = ["Counters"]


class Counters:
    """Named counts of records. ``add`` and ``snapshot`` may be called from any thread.

    The lock is re-entrant: a signal handler that logs may count inside another count.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._counts: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Add ``count`` to ``name``."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + count

    def get(self, name: str) -> int:
        """The present value, 0 for a name never added to."""
        return self._counts.get(name, 0)

    def snapshot(self) -> Mapping[str, int]:
        """A copy of all counts."""
        with self._lock:
            return dict(self._counts)

    def after_fork(self) -> None:
        """Start from nothing with a fresh lock, in a child process."""
        self._lock = RLock()
        self._counts = {}
