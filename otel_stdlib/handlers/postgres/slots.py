"""How many connections this process has open to one target."""

from __future__ import annotations

import os

from otel_stdlib.facts.threads import Lock

__all__ = ["release", "take"]

_lock = Lock()
_open: dict[tuple[int, str], int] = {}


def take(key: str, limit: int) -> bool:
    """Take one of ``limit`` places for ``key``; false when all are taken. Any thread.

    Counted per process: a forked child has none of its parent's connections.
    """
    with _lock:
        place = (os.getpid(), key)
        count = _open.get(place, 0)
        if count >= limit:
            return False
        _open[place] = count + 1
        return True


def release(key: str) -> None:
    """Give a place back."""
    with _lock:
        place = (os.getpid(), key)
        count = _open.get(place, 0)
        if count > 1:
            _open[place] = count - 1
        else:
            _open.pop(place, None)
