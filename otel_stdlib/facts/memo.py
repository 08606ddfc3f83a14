"""A memory of what was made, with a limit."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["keep"]

K = TypeVar("K")
V = TypeVar("V")
#: What a memory holds at most.
_MOST = 4_096


def keep(known: dict[K, V], key: K, made: V) -> V:
    """Remember what was made, and forget everything before it where there is too much. Any thread."""
    if len(known) >= _MOST:
        known.clear()
    known[key] = made
    return made
