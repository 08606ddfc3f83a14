"""What a spool's ``append`` answers where there is no LSN, and the floor that takes every level."""

from __future__ import annotations

__all__ = ["DROPPED", "FULL", "NO_FLOOR", "SEALED"]

#: What ``append`` answers for a record that was not taken; it is counted.
DROPPED = -1
#: What ``append`` answers when the spool takes nothing any more: the caller goes to its successor.
SEALED = -2
#: What a call that waits for room gets while there is none; not counted.
FULL = -3
#: The floor when every level is taken.
NO_FLOOR = -(1 << 200)
