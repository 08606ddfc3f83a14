"""What has something to say before logging ends: called once before the pipelines drain, and at exit in any case."""

from __future__ import annotations

import atexit
import weakref
from typing import Protocol

__all__ = ["Ending", "before_end", "run_endings"]


class Ending(Protocol):
    """Something with records of its own that wait."""

    def flush(self) -> None:
        """Log what waits. It may be called again, at any time."""


_members: weakref.WeakSet[Ending] = weakref.WeakSet()
_hooked = False


def before_end(member: Ending) -> None:
    """Flush ``member`` before logging ends. Forked children inherit that."""
    global _hooked
    _members.add(member)
    if not _hooked:
        _hooked = True
        atexit.register(run_endings)


def run_endings() -> None:
    """Flush every member. Never raises."""
    while True:
        try:
            members = list(_members)
            break
        except RuntimeError:  # another thread makes one
            continue
    for member in members:
        try:
            member.flush()
        except Exception:
            continue
