"""When a batch is sent. Pure, fed with ``now``."""

from __future__ import annotations

__all__ = ["Linger"]


class Linger:
    """Whether records that do not fill a batch go now or wait for more.

    Args:
        age: seconds that they wait at most.
    """

    def __init__(self, age: float) -> None:
        self._age = age
        self._since: float | None = None

    def ready(self, now: float, *, full: bool) -> bool:
        """Send now? Called when there is at least one record."""
        if full or self._age <= 0:
            self._since = None
            return True
        if self._since is None:
            self._since = now
        if now - self._since >= self._age:
            self._since = None
            return True
        return False
