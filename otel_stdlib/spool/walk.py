"""Reading frames out of bytes: the one way in which delivery, adoption and inspection do it.

Pure: bytes in, frames out. Whatever the bytes hold, the walk ends, gives each whole frame
once, and skips the rest.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from otel_stdlib._native import core
from otel_stdlib.spool.frame import (
    HEADER_SIZE,
    MAGIC,
    MAGIC_BYTES,
    MAX_PAYLOAD,
    PREFIX_SIZE,
    Frame,
    unpack_header,
)

__all__ = ["Walk", "pure_walk", "walk"]

_new = tuple.__new__
_UNCOMMITTED = bytes(PREFIX_SIZE)


class Walk(NamedTuple):
    """What a walk over one buffer found, and where it stopped."""

    frames: Sequence[Frame]
    #: The offset in the buffer from which to go on.
    position: int
    #: Frames that were there but damaged.
    damaged: int
    #: True: the buffer ends inside a frame or a gap, and more bytes are needed from ``position``.
    hungry: bool
    #: True: ``position`` is no frame's start but lies in a gap whose end was not found yet.
    lost: bool


def pure_walk(
    data: bytes, position: int, base: int, seed: int, limit: int, room: int, lost: bool = False
) -> Walk:
    """Up to ``limit`` frames of ``data[position:]``.

    ``base`` is the LSN of ``data[0]``; ``room`` how many bytes the segment has from ``data[0]``:
    no frame reaches past it. With ``room == len(data)`` the walk never asks for more.
    """
    frames: list[Frame] = []
    end = len(data)
    last = end - HEADER_SIZE
    damaged = 0
    append = frames.append
    crc32 = zlib.crc32
    while limit > 0:
        if lost:
            position = data.find(MAGIC_BYTES, position)
            if position < 0:
                # A magic may straddle the buffer's end.
                return Walk(frames, max(end - 3, 0), damaged, end < room, True)
            lost = False
        if position > last:
            return Walk(frames, position, damaged, end < room, False)
        magic, check, time_ns, length, level, severity, _ = unpack_header(data, position)
        if magic == MAGIC and length <= MAX_PAYLOAD:
            stop = position + HEADER_SIZE + length
            if stop <= end:
                tail = data[position + 8 : stop]
                if crc32(tail, seed) == check:
                    append(_new(Frame, (base + position, time_ns, level, severity, tail[16:])))
                    limit -= 1
                    position = stop
                    continue
            elif stop <= room:
                return Walk(frames, position, damaged, True, False)
        # Not a frame. Zeros are a reservation whose writer never committed, or the end of the
        # data; anything else was a frame once.
        if data[position : position + 8] != _UNCOMMITTED:
            damaged += 1
        position += 1
        lost = True
    return Walk(frames, position, damaged, False, lost)


def _compiled_walk(
    data: bytes, position: int, base: int, seed: int, limit: int, room: int, lost: bool = False
) -> Walk:
    """The same in C: ``frames`` makes each Frame when it is asked for, and whole blocks of lines without."""
    return Walk(*core.walk(data, position, base, seed, limit, room, lost))


walk: Callable[..., Walk] = pure_walk
if core is not None:
    core.use(Frame)
    walk = _compiled_walk
