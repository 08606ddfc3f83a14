"""Spool bytes of every kind, and the comparison of both flavours on them."""

from __future__ import annotations

import random
import zlib

from otel_stdlib._native import core
from otel_stdlib.spool.frame import MAGIC, MAGIC_BYTES, Frame, pack_prefix, pack_tail
from otel_stdlib.spool.walk import Walk, pure_walk

__all__ = ["compare_bytes", "make_frame"]


def make_frame(payload: bytes, seed: int, time_ns: int = 5, level: int = 20, severity: int = 9) -> bytes:
    """One committed frame."""
    tail = pack_tail(time_ns, len(payload), level, severity, 0) + payload
    return pack_prefix(MAGIC, zlib.crc32(tail, seed)) + tail


def _payload(chance: random.Random) -> bytes:
    kind = chance.randrange(8)
    size = chance.choice((0, 1, 7, 8, 15, 16, 39, 40, 41, 63, 64, 65, 130, 500, 5_000))
    if kind == 0:
        return b"\xff" + chance.randbytes(size)  # an envelope, or what looks like one
    if kind == 1:
        return MAGIC_BYTES * (size // 4)  # UTF-8 never has it, but damage may
    return chance.randbytes(size) if kind == 2 else b'{"body":"%d"' % chance.randrange(1 << 40) + b"x" * size


def _make_bytes(chance: random.Random, seed: int) -> bytes:
    """Frames with gaps, torn ones, those of other spools, and damage anywhere."""
    parts = []
    for _ in range(chance.randrange(12)):
        frame = make_frame(
            _payload(chance),
            seed if chance.random() < 0.9 else seed ^ 1,
            chance.choice((0, 5, -1, (1 << 63) - 1, -(1 << 63))),
            chance.choice((-0x8000, -5, 0, 10, 20, 50, 0x7FFF)),
            chance.randrange(256),
        )
        torn = chance.randrange(12)
        if torn == 0:
            frame = bytes(8) + frame[8:]
        elif torn == 1:
            frame = frame[: chance.randrange(len(frame))]
        parts.append(frame)
        if chance.random() < 0.2:
            parts.append(bytes(chance.randrange(70)))
    data = bytearray(b"".join(parts))
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _compare(
    data: bytes, position: int, base: int, seed: int, limit: int, room: int, lost: bool
) -> tuple[Walk, Walk]:
    """What both flavours find, after it was compared."""
    pure = pure_walk(data, position, base, seed, limit, room, lost)
    compiled = Walk(*core.walk(data, position, base, seed, limit, room, lost))
    assert compiled[1:] == pure[1:]
    assert [*compiled.frames] == pure.frames
    assert all(type(frame) is Frame for frame in compiled.frames)
    table = compiled.frames
    assert table.nbytes == sum(len(frame.payload) for frame in pure.frames)  # type: ignore[attr-defined]
    assert table.min_level == min((f.level for f in pure.frames), default=0x7FFF)  # type: ignore[attr-defined]
    assert table.sealed is any(f.payload[:1] == b"\xff" for f in pure.frames)  # type: ignore[attr-defined]
    return pure, compiled


def _compare_slices(pure: Walk, compiled: Walk, chance: random.Random) -> None:
    """Parts of both, and the lines that are made of them."""
    frames, table = list(pure.frames), compiled.frames
    count = len(frames)
    start, stop = chance.randint(-count - 2, count + 2), chance.randint(-count - 2, count + 2)
    for part, same in ((table, frames), (table[start:stop], frames[start:stop])):
        assert [*part] == same
        assert len(part) == len(same)
        assert [*part.lsns()] == [frame.lsn for frame in same]  # type: ignore[attr-defined]
        head, before, after = (chance.randbytes(chance.randrange(20)) for _ in range(3))
        lines = b"".join(b"%b%b%b%014x%b" % (head, f.payload, before, f.lsn, after) for f in same)
        assert part.lines(head, before, after) == (lines, zlib.crc32(lines))  # type: ignore[attr-defined]
    for index in (start, stop):
        if -count <= index < count:
            assert table[index] == frames[index]


def compare_bytes(chance: random.Random) -> None:
    """Both flavours on one buffer: frames, their order, where the walk stopped, what it counted, parts and lines."""
    seed = chance.getrandbits(32)
    data = _make_bytes(chance, seed)
    position = chance.choice((0, 0, chance.randrange(len(data) + 1)))
    room = chance.choice((len(data), len(data) + chance.randrange(6_000), 0))
    base = chance.choice((0, 4096, (7 << 32) + 4096, (1 << 56) - 100, (1 << 62) + 5))
    limit, lost = chance.choice((0, 1, 2, 100)), chance.random() < 0.3
    _compare_slices(*_compare(data, position, base, seed, limit, room, lost), chance)
