"""A destination's cursor in a spool directory: two slots, written in turn, each with its check.

A kill inside a write spoils one slot; the other holds the value before. Delivery from an older
value sends records again, with the same uids.
"""

from __future__ import annotations

import os
import struct
import zlib

from otel_stdlib.spool.segment import SAFE_OPEN, Descriptor

__all__ = ["CursorFile", "cursor_name"]

_SLOT = struct.Struct("<QQI4x")
_STRIDE = 64


def cursor_name(identity_hash: str) -> str:
    """The file's name."""
    return f"cursor-{identity_hash}"


class CursorFile:
    """One cursor. Used by one thread at a time.

    Raises:
        OSError: the file cannot be opened; ``save`` raises it when a write fails.
    """

    def __init__(self, directory_fd: int, name: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | SAFE_OPEN
        self._descriptor = Descriptor(os.open(name, flags, 0o600, dir_fd=directory_fd))
        self._generation, self.value = self._load()

    def _load(self) -> tuple[int, int]:
        data = os.pread(self._descriptor.fd, 2 * _STRIDE, 0)
        best = (0, 0)
        for offset in (0, _STRIDE):
            slot = data[offset : offset + _SLOT.size]
            if len(slot) < _SLOT.size:
                continue
            generation, value, check = _SLOT.unpack(slot)
            if zlib.crc32(slot[:16]) == check and generation > best[0]:
                best = (generation, value)
        return best

    def save(self, value: int) -> None:
        """Keep ``value``. One ``pwrite``; it does not sync."""
        generation = self._generation + 1
        body = struct.pack("<QQ", generation, value)
        slot = _SLOT.pack(generation, value, zlib.crc32(body))
        os.pwrite(self._descriptor.fd, slot, (generation & 1) * _STRIDE)
        self._generation = generation
        self.value = value
