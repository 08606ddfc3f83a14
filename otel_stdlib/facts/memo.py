"""A memory of what was made, with a limit."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["keep"]

K = TypeVar("K")
V = TypeVar("V")


def keep(known: dict[K, V], key: K, made: V, most: int = 4_096) -> V:
    """Remember what was made, and forget everything before it where there is too much. Any thread."""
    if len(known) >= most:
        known.clear()
    known[key] = made
    return made
