"""Spool identifiers: ULIDs (48 bits of milliseconds, 80 random bits, Crockford base 32)."""

from __future__ import annotations

import os
import re

from otel_stdlib.facts.clock import wall_ns

__all__ = ["is_spool_id", "new_spool_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


def new_spool_id() -> str:
    """A new identifier. The random bits come from the kernel, so a forked child never repeats one."""
    value = (wall_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def is_spool_id(name: str) -> bool:
    """Whether a directory's name is one of ours."""
    return _PATTERN.match(name) is not None
