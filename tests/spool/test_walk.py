"""The walk over frames: what it gives, what it skips, where it stops."""

from __future__ import annotations

from otel_stdlib.spool import walk as walks
from otel_stdlib.spool.frame import Frame
from tests._native.cases import make_frame

SEED = 7


def frame(payload: bytes, seed: int = SEED) -> bytes:
    """One committed frame."""
    return make_frame(payload, seed)


def payloads(data: bytes, limit: int = 100) -> tuple[list[bytes], int]:
    """What a walk over whole data finds, and how many damaged frames it counts."""
    step = walks.walk(data, 0, 0, SEED, limit, len(data))
    assert not step.hungry
    return [f.payload for f in step.frames], step.damaged


def test_frames_in_order() -> None:
    """Whole frames come out one after the other; zeros end them."""
    assert payloads(frame(b"a") + frame(b"bb") + bytes(100)) == ([b"a", b"bb"], 0)


def test_limit_stops_at_a_frame() -> None:
    """A walk stops after ``limit`` frames and says where to go on."""
    data = frame(b"a") + frame(b"bb") + frame(b"c")
    step = walks.walk(data, 0, 1 << 32, SEED, 2, len(data))
    assert [f.lsn for f in step.frames] == [1 << 32, (1 << 32) + 25]
    assert data[step.position :] == frame(b"c")


def test_an_uncommitted_reservation_is_stepped_over() -> None:
    """A hole of zeros, or a torn frame that begins with them, hides nothing behind it and counts as nothing."""
    torn = bytes(8) + frame(b"torn")[8:]
    assert payloads(frame(b"a") + bytes(300) + frame(b"b")) == ([b"a", b"b"], 0)
    assert payloads(frame(b"a") + torn + frame(b"b")) == ([b"a", b"b"], 0)


def test_a_frame_of_another_spool_is_damage() -> None:
    """A check seeded with another spool's id never fits."""
    assert payloads(frame(b"a") + frame(b"x", seed=8) + frame(b"b")) == ([b"a", b"b"], 1)


def test_every_flipped_byte_costs_one_frame() -> None:
    """Whatever byte is flipped, the other frames are found and one is counted, unless it was hidden."""
    good = [b"first", b"second" * 20, b"third"]
    data = b"".join(map(frame, good)) + bytes(64)
    end_of = [len(frame(b"first")), len(frame(b"first")) + len(frame(good[1]))]
    for at in range(len(data) - 64):
        for mask in (0x01, 0x80, 0xFF):
            broken = bytearray(data)
            broken[at] ^= mask
            found, damaged = payloads(bytes(broken))
            hit = 0 if at < end_of[0] else 1 if at < end_of[1] else 2
            assert found == [p for n, p in enumerate(good) if n != hit], (at, mask)
            assert damaged == 1, (at, mask)


def test_every_truncation_keeps_the_frames_before_it() -> None:
    """A file cut anywhere gives the frames that are whole, and the walk ends."""
    good = [b"first", b"second", b"third"]
    data = b"".join(map(frame, good))
    ends = [len(b"".join(map(frame, good[: n + 1]))) for n in range(3)]
    for cut in range(len(data)):
        found, _ = payloads(data[:cut])
        assert found == [p for p, end in zip(good, ends, strict=True) if end <= cut]


def test_hungry_walks_give_the_same_as_one_walk() -> None:
    """Read in pieces of any size, with gaps and damage between, nothing is lost or seen twice."""
    data = frame(b"a" * 50) + bytes(37) + frame(b"b") + b"garbage" + frame(b"c" * 200) + bytes(90)
    whole, damaged = payloads(data)
    for piece in range(24, 300):
        frames: list[Frame] = []
        position, lost, total, size = 0, False, 0, piece
        for _ in range(2000):
            chunk = data[position : position + size]
            step = walks.walk(chunk, 0, position, SEED, 100, len(data) - position, lost)
            frames += step.frames
            total += step.damaged
            if not step.hungry:
                break
            lost = step.lost
            size = piece if step.position or step.frames else size * 2
            position += step.position
        else:
            raise AssertionError("the walk does not end")
        assert [f.payload for f in frames] == whole
        assert total == damaged
