"""A circuit breaker: after failures in a row nothing is sent for a while. Pure, fed with ``now``."""

from __future__ import annotations

import enum

__all__ = ["Breaker", "BreakerState"]


class BreakerState(enum.Enum):
    """The three states."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """CLOSED → (threshold failures in a row) → OPEN → (timeout) → HALF_OPEN → CLOSED or OPEN.

    Args:
        threshold: failures in a row that open it.
        timeout: seconds that it stays open.
    """

    def __init__(self, threshold: int, timeout: float) -> None:
        self._threshold = threshold
        self._timeout = timeout
        self._failures = 0
        self._opened_at: float | None = None
        self._half = False
        self._until_base = 0.0

    @property
    def state(self) -> BreakerState:
        """The state as of the last call."""
        if self._half:
            return BreakerState.HALF_OPEN
        return BreakerState.CLOSED if self._opened_at is None else BreakerState.OPEN

    @property
    def opened_at(self) -> float | None:
        """Since when it has not been closed."""
        return self._opened_at

    def allows(self, now: float) -> bool:
        """Whether something may be sent; an open breaker turns half open when its time is over."""
        if self._opened_at is None or self._half:
            return True
        if now - self._until_base >= self._timeout:
            self._half = True
            return True
        return False

    def half_open(self) -> None:
        """A health check succeeded: let one through before the time is over."""
        if self._opened_at is not None:
            self._half = True

    def trip(self, now: float) -> None:
        """Open it at once: what was answered leaves no doubt."""
        self._failures = max(self._failures, self._threshold - 1)
        self.fail(now)

    def fail(self, now: float) -> None:
        """A failure."""
        self._failures += 1
        if self._half or (self._opened_at is None and self._failures >= self._threshold):
            if self._opened_at is None:
                self._opened_at = now
            self._until_base = now
            self._half = False

    def succeed(self) -> None:
        """A success closes it."""
        self._failures = 0
        self._opened_at = None
        self._half = False
