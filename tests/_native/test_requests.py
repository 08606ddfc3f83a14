"""OTLP's records that C makes: the same as Python's, for any lines."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import random
import threading
import tracemalloc

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.handlers.otlp.body import PROTOBUF, Encoder
from tests._native.requests import ORIGIN, Requests
from tests._native.test_rows import table_of

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")

LINE = (
    b'{"timestamp":"2026-11-30T12:00:00.123456Z","severity_text":"INFO","severity_number":9,"body":"order %d",'
    b'"trace_id":"4bf92f3577b34da6a3ce929d0e0e%04x","span_id":"00f067aa0ba902b7","trace_flags":"01",'
    b'"scope":{"name":"shop.%d"},"attributes":{"code.function.name":"f","code.file.path":"C:\\\\x.py",'
    b'"code.line.number":5,"thread.id":7,"thread.name":"MainThread","order":%d,"total":%d.5,"who":"\xc3\xa9\\n",'
)


def line(number: int, scopes: int = 1) -> bytes:
    """An ordinary line, of a trace of its own."""
    return LINE % (number, number, number % scopes, number, number)


def pure_body(frames: list[bytes]) -> bytes:
    """The request, by Python."""
    return Encoder(PROTOBUF).encode(ORIGIN, [*table_of(frames)]).body  # type: ignore[call-overload]


def body(lines: list[bytes], encoder: Encoder | None = None) -> bytes:
    """The request of a table."""
    made = encoder or Encoder(PROTOBUF)
    return made.encode(ORIGIN, table_of(lines)).body  # type: ignore[arg-type]


def test_any_lines() -> None:
    """Ordinary lines and spoiled ones: the same requests, and the same damage. Both ways are taken by many."""
    first = random.SystemRandom().getrandbits(32)
    found = Requests()

    def compare() -> None:
        for number in range(first, first + 250):
            try:
                found.compare(random.Random(number))
            except BaseException:
                print(f"seed {number}")
                raise

    contextvars.copy_context().run(compare)
    fast, slow = found.paths()
    assert min(fast, slow) > 250, (fast, slow)


def test_the_ordinary_line_needs_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands, of several loggers and in many traces: Python is asked for the pieces of each place once."""
    lines = [line(number, scopes=3) for number in range(3_000)]
    encoder = Encoder(PROTOBUF)
    look = encoder._quick._pieces
    asked: list[bytes] = []

    def ask(payload: bytes) -> object:
        asked.append(payload)
        return look(payload)

    def never(*_args: object, **_others: object) -> None:
        raise AssertionError("Python was asked for a record")

    monkeypatch.setattr(encoder._quick, "_pieces", ask)
    monkeypatch.setattr(encoder._quick, "_write", never)
    for _ in range(2):
        assert body(lines, encoder) == pure_body(lines)
    assert asked == lines[:3]


@pytest.mark.parametrize(
    "members",
    [
        b'"a":1,"b":-1,"c":0,"d":999999999999999999,"e":-999999999999999999,',
        b'"a":-0,',
        b'"a":1234567890123456789,',
        b'"a":12.5,"b":-0.0,"c":0.1,"d":-1.005,"e":123456789012345.25,"f":0.000000000000000001,',
        b'"a":9007199254740993.5,"b":1e5,"c":1.5E-7,',
        b'"a":true,"b":false,"c":null,',
        b'"a":"","b":"x,","c":"\\"\\\\\\/\\b\\f\\n\\r\\t",',
        b'"a":"\\u00e9","b":"\\ud83d\\ude00",',
        b'"a": "AP8=",',
        b'"a":{"b":[1,"x"]},',
        b'"a":1,"a":2,',
        b'"code.mine":1,',
        b'"%b":1,' % (b"k" * 200),
        b'"a":"%b",' % (b"v" * 20_000),
        b"".join(b'"k%d":%d,' % (number, number) for number in range(200)),
        b"",
    ],
)
def test_members(members: bytes) -> None:
    """Attributes of each kind, ordinary or not, between lines that are."""
    lines = [line(1), line(2), line(3) + members, line(4)]
    assert body(lines) == pure_body(lines)


def test_a_record_larger_than_a_part() -> None:
    """It is made by Python, between the others."""
    lines = [line(1), line(2), line(3) + b'"a":"%b",' % (b"x" * 2_000_000), line(4)]
    assert body(lines) == pure_body(lines)


def test_no_line_is_ordinary() -> None:
    """Thousands that Python makes, all of them."""
    lines = [line(number) + b'"a":[1],' for number in range(2_000)]
    assert body(lines) == pure_body(lines)
    strange = [each.replace(b'"code.line.number":5', b'"code.line.number":05') for each in lines]
    assert body(strange) == pure_body(strange)


def test_more_places_than_are_remembered() -> None:
    """Each record of another logger, twice over: what is forgotten is asked again."""
    lines = [line(number, scopes=5_000) for number in range(5_000)] * 2
    assert body(lines) == pure_body(lines)


def test_threads_share_an_encoder() -> None:
    """Several requests at once, as several workers make them."""
    lines = [line(number, scopes=3) for number in range(3_000)]
    expected = pure_body(lines)
    encoder = Encoder(PROTOBUF)
    found: list[bool] = []

    def encode() -> None:
        found.extend(body(lines, encoder) == expected for _ in range(5))

    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


def test_what_it_refuses() -> None:
    """Numbers out of range, and things of another kind."""
    writer = core.RecordWriter()
    frames = table_of([line(1)])
    for given in ((frames, -1, b"", 5, True), (frames, 0, b"", -1, True)):
        with pytest.raises(ValueError, match="out of range"):
            writer.write(*given)
    for given in (([], 0, b"", 5, True), (frames, 0, "", 5, True)):
        with pytest.raises(TypeError):
            writer.write(*given)
    with pytest.raises(TypeError):
        writer.know("level", b"", b"", b"", b"", b"", 0)
    assert writer.write(frames, 9, b"", 5, True) == ([], 9, False)
    assert writer.write(frames, 0, b"", 5, True) == ([], 0, True)
    assert writer.write(frames, 0, b"", 5, False) == ([(-1, (0, 1))], 1, False)


def test_nothing_leaks() -> None:
    """Records, what is remembered, and errors leave no memory behind."""
    frames = table_of([line(number, scopes=2) for number in range(20)])
    encoder = Encoder(PROTOBUF)

    def turn(times: int) -> None:
        for number in range(times):
            writer = core.RecordWriter()
            for _ in range(2):
                writer.know(b"%d" % number, b"level", b"head", b"tail", b"place", b"site", number)
            writer.write(frames, 0, b"uid", 10_000, number % 2)
            encoder.encode(ORIGIN, frames)  # type: ignore[arg-type]
            with contextlib.suppress(ValueError):
                writer.write(frames, -1, b"", 10, True)
        gc.collect()

    tracemalloc.start()
    try:
        turn(50)
        before = tracemalloc.get_traced_memory()[0]
        turn(500)
        assert tracemalloc.get_traced_memory()[0] - before < 8_000
    finally:
        tracemalloc.stop()
