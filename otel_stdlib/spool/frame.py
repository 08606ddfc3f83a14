"""The bytes of one frame in a segment. ``docs/spool-format.md`` is the specification.

    offset  size  field
    0       4     magic FF F5 01 00: bytes that UTF-8 never has, so no payload holds it
    4       4     CRC-32 of everything from offset 8, seeded with the spool's seed
    8       8     event time, nanoseconds since 1970 UTC
    16      4     length of the payload
    20      2     level, clamped to 16 bits
    22      1     severity number
    23      1     zero
    24      n     payload

The first eight bytes are written last, in one store: they are the commit. A frame whose
writer died in the middle therefore begins with eight zeros and is no frame at all.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

__all__ = [
    "HEADER_SIZE",
    "MAGIC",
    "MAGIC_BYTES",
    "MAX_PAYLOAD",
    "PREFIX_SIZE",
    "Frame",
    "lsns_of",
    "pack_prefix",
    "pack_tail",
    "payload_bytes",
    "seed_of",
    "since",
    "unpack_header",
]

_PREFIX = struct.Struct("<II")
_TAIL = struct.Struct("<qIhBB")
_HEADER = struct.Struct("<IIqIhBB")

MAGIC = 0x0001F5FF
MAGIC_BYTES = b"\xff\xf5\x01\x00"
PREFIX_SIZE = _PREFIX.size
HEADER_SIZE = _HEADER.size
#: Longer payloads are refused; the encoder keeps records far below.
MAX_PAYLOAD = 4 << 20

pack_prefix = _PREFIX.pack
pack_tail = _TAIL.pack
unpack_header = _HEADER.unpack_from


class Frame(NamedTuple):
    """One record as the spool holds it."""

    #: Position in the spool's stream, ``segment << 32 | offset``: the record's sequence number.
    lsn: int
    #: Time of the event in nanoseconds since 1970 UTC.
    time_ns: int
    #: The ``logging`` level.
    level: int
    #: The OpenTelemetry severity number.
    severity: int
    #: The open line: see ``otel_stdlib.record.line``.
    payload: bytes


def seed_of(spool_id: str) -> int:
    """What the checks of a spool's frames start from: a frame of another spool never fits."""
    return zlib.crc32(spool_id.encode("ascii"))


def since(frames: Sequence[Frame], lsn: int) -> Sequence[Frame]:
    """Those at ``lsn`` and above, of frames in order."""
    return frames[bisect_left(frames, lsn, key=attrgetter("lsn")) :]


def lsns_of(frames: Sequence[Frame]) -> list[int]:
    """Their LSNs, in order."""
    known = getattr(frames, "lsns", None)  # a table of the compiled walk makes no frames for that
    return [frame.lsn for frame in frames] if known is None else known().tolist()


def payload_bytes(frames: Sequence[Frame]) -> int:
    """The bytes of their payloads."""
    known: int | None = getattr(frames, "nbytes", None)  # a table of the compiled walk has counted them
    return sum(len(frame.payload) for frame in frames) if known is None else known
