"""Rows of PostgreSQL that C makes: the same as Python's, for any lines."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import random
import tracemalloc

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres.columns import STANDARD
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.handlers.postgres.shape import ColumnInfo, TableShape
from otel_stdlib.handlers.postgres.stream import FirstPiece, RowStream
from tests._native.cases import make_frame
from tests._native.rows import Rows

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")

LINE = (
    b'{"timestamp":"2026-11-30T12:00:00.123456Z","severity_text":"INFO","severity_number":9,"body":"order %d",'
    b'"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","trace_flags":"01",'
    b'"scope":{"name":"shop"},"attributes":{"code.line.number":5,"path":"C:\\\\x",'
)


def table_of(lines: list[bytes]) -> object:
    """A table of the compiled walk."""
    data = b"".join(make_frame(line, 3) for line in lines)
    return core.walk(data, 0, 4096, 3, len(lines), len(data))[0]


def encoder() -> RowEncoder:
    """One for a table in the classic layout."""
    shape = TableShape(dict.fromkeys(STANDARD, ColumnInfo("text")))
    return RowEncoder(shape, Origin("0" * 26, b'{"service.name":"shop"}'))


def test_any_lines() -> None:
    """Ordinary lines and spoiled ones: the rows are equal, and so is the error where a line holds no record.

    Both ways are taken by many.
    """
    first = random.SystemRandom().getrandbits(32)
    rows = Rows()

    def compare() -> None:
        for number in range(first, first + 250):
            try:
                rows.compare(random.Random(number))
            except BaseException:
                print(f"seed {number}")
                raise

    contextvars.copy_context().run(compare)
    fast, slow = rows.paths()
    assert min(fast, slow) > 250, (fast, slow)


def test_the_ordinary_line_needs_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of thousands, in pieces of bounded size; Python is asked once, for what the first one has."""
    frames = table_of([LINE % number for number in range(5_000)])
    made = encoder()
    expected = b"".join(map(encoder().row, frames))  # type: ignore[call-overload]
    asked: list[bytes] = []
    middle = made.compiled._middle  # type: ignore[union-attr]

    def ask(members: bytes) -> bytes:
        asked.append(members)
        return middle(members)

    monkeypatch.setattr(made.compiled, "_middle", ask)
    monkeypatch.setattr(made.compiled, "_row", None)
    pieces = [*iter(RowStream(made, frames).read, b"")]  # type: ignore[arg-type]
    assert b"".join(pieces) == expected
    assert max(map(len, pieces)) < 1 << 20
    assert len(asked) == 1


def test_a_row_larger_than_a_piece() -> None:
    """It is made by Python, between the others."""
    frames = table_of([LINE % 1, (LINE % 2) + b'"a":"%b",' % (b"x" * 2_000_000), LINE % 3])
    rows = b"".join(iter(RowStream(encoder(), frames).read, b""))  # type: ignore[arg-type]
    assert rows == b"".join(map(encoder().row, frames))  # type: ignore[call-overload]


def test_more_members_than_are_remembered() -> None:
    """Each record of another scope, twice over: what is forgotten is asked again."""
    lines = [(LINE % number).replace(b'"shop"', b'"shop%d"' % number) for number in range(5_000)] * 2
    frames = table_of(lines)
    rows = b"".join(iter(RowStream(encoder(), frames).read, b""))  # type: ignore[arg-type]
    assert rows == b"".join(map(encoder().row, frames))  # type: ignore[call-overload]


def test_the_first_piece_of_a_table() -> None:
    """It is used for the frames that it was made of, and for no others."""
    frames = table_of([LINE % number for number in range(2_000)])
    made = encoder()
    expected = b"".join(map(made.row, frames))  # type: ignore[call-overload]
    first = FirstPiece(made, frames[:500])  # type: ignore[index]
    assert first.fits(made, frames)  # type: ignore[arg-type]
    assert not first.fits(made, frames[1:])  # type: ignore[index]
    assert not first.fits(encoder(), frames)  # type: ignore[arg-type]
    stream = RowStream(made, frames, first=first)  # type: ignore[arg-type]
    assert b"".join(iter(stream.read, b"")) == expected


def test_what_it_refuses() -> None:
    """Numbers out of range, and things of another kind."""
    writer = core.RowWriter(b"uid", 5, 5)
    frames = table_of([LINE % 1])
    for given in ((frames, -1, 5, True), (frames, 0, -1, True)):
        with pytest.raises(ValueError, match="out of range"):
            writer.write(*given)
    with pytest.raises(ValueError, match="negative"):
        core.RowWriter(b"uid", -1, 5)
    for given in (([], 0, 5, True), (frames, "0", 5, True)):
        with pytest.raises(TypeError):
            writer.write(*given)
    with pytest.raises(TypeError):
        writer.know("members", b"")
    assert writer.write(frames, 7, 5, True) == (b"", 7, b"", [])


def test_nothing_leaks() -> None:
    """Rows, what is remembered, and errors leave no memory behind."""
    frames = table_of([LINE % number for number in range(20)])

    def turn(times: int) -> None:
        for number in range(times):
            writer = core.RowWriter(b"uid", 50, 50)
            writer.know(b"%d" % number, b"x" * 100)
            writer.know(b"%d" % number, b"y" * 100)
            members = writer.write(frames, 0, 10_000, True)[2]
            writer.know(members, b"middle")
            assert len(writer.write(frames, 0, 10_000, True)[0]) > 3_000
            with contextlib.suppress(ValueError):
                writer.write(frames, -1, 10, True)
        gc.collect()

    tracemalloc.start()
    try:
        turn(100)
        before = tracemalloc.get_traced_memory()[0]
        turn(1_000)
        assert tracemalloc.get_traced_memory()[0] - before < 16_000
    finally:
        tracemalloc.stop()
