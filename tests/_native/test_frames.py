"""Frames and blocks of the compiled path: the same as Python's, for any bytes."""

from __future__ import annotations

import contextlib
import gc
import random
import threading
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib._native import core, missing
from tests._native.cases import compare_bytes, make_frame

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")


@given(st.randoms(use_true_random=False))
def test_any_bytes(chance: random.Random) -> None:
    """Frames, their order, where the walk stopped, what it counted: equal, from any start and for any room."""
    compare_bytes(chance)


@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
def test_crc(data: bytes, seed: int) -> None:
    """zlib's, for every length and seed."""
    assert core.crc32(data, seed) == zlib.crc32(data, seed)
    assert core.crc32(data * 300, seed) == zlib.crc32(data * 300, seed)


def test_the_numbers_do_not_wrap() -> None:
    """What does not fit is an error, not another frame's bytes."""
    data = make_frame(b"a", 1)
    with pytest.raises(ValueError, match="out of range"):
        core.walk(data, -1, 0, 1, 1, len(data))
    with pytest.raises(ValueError, match="out of range"):
        core.walk(data, 0, 0, 1 << 32, 1, len(data))
    frames = core.walk(data, 0, 0, 1, 1, len(data))[0]
    for index in (1, -2, 1 << 40):
        with pytest.raises(IndexError):
            frames[index]
    with pytest.raises(ValueError, match="step"):
        frames[::-1]
    with pytest.raises(TypeError):
        core.walk(bytearray(data), 0, 0, 1, 1, len(data))  # it may change while it is read
    assert len(core.walk(data, 1 << 40, 0, 1, 1, len(data))[0]) == 0


def test_a_part_keeps_the_bytes_that_it_shows() -> None:
    """A slice lives longer than the table it was taken from."""
    part = core.walk(make_frame(b"a" * 50_000, 1) * 3, 0, 0, 1, 3, 200_000)[0][1:]
    gc.collect()
    assert [frame.payload for frame in part] == [b"a" * 50_000] * 2


def test_threads_share_a_table() -> None:
    """Several threads render it at once, each without the GIL."""
    data = b"".join(make_frame(b"%d" % number * 100, 3) for number in range(2_000))
    frames = core.walk(data, 0, 0, 3, 2_000, len(data))[0]
    expected = frames.lines(b"", b"-", b"\n")
    found: list[bool] = []

    def render() -> None:
        found.extend(frames.lines(b"", b"-", b"\n") == expected for _ in range(20))

    threads = [threading.Thread(target=render) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80


def test_nothing_leaks() -> None:
    """Tables, slices, items, lines and errors leave no memory behind."""
    data = b"".join(make_frame(b"x" * 500, 3) for _ in range(20))

    def turn(times: int) -> None:
        for _ in range(times):
            frames = core.walk(data, 0, 0, 3, 20, len(data))[0]
            frames[3:9].lines(b"", b"", b"\n")
            frames.lsns()
            assert frames[-1].payload
            for wrong in (99, "x", slice(0, 5, 2)):
                with contextlib.suppress(IndexError, TypeError, ValueError):
                    frames[wrong]
        gc.collect()

    tracemalloc.start()
    try:
        turn(100)
        before = tracemalloc.get_traced_memory()[0]
        turn(1_000)
        assert tracemalloc.get_traced_memory()[0] - before < 16_000  # not 16 bytes a turn
    finally:
        tracemalloc.stop()
