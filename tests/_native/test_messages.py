"""Messages of Kafka that C makes: the same as Python's, for any lines."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import random
import sys
import tracemalloc

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.kafka import message
from otel_stdlib.handlers.kafka.naming import TopicPattern
from tests._native.messages import Messages
from tests._native.test_rows import LINE, table_of

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")

ORIGIN = Origin("0" * 26, b'{"service.name":"shop"}')


def test_any_lines() -> None:
    """Ordinary lines and spoiled ones: the messages are equal, or the error is. Both ways are taken by many."""
    first = random.SystemRandom().getrandbits(32)
    found = Messages()

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
    """Thousands, with a trace and without: no frame is made of one."""
    lines = [LINE % number for number in range(3_000)]
    lines[1::2] = [
        line.replace(b',"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"', b"") for line in lines[1::2]
    ]
    lines[1::2] = [
        line.replace(b',"span_id":"00f067aa0ba902b7","trace_flags":"01"', b"") for line in lines[1::2]
    ]
    frames = table_of(lines)
    naming = TopicPattern("logs")
    expected = [*message._pure(frames, ORIGIN, naming, 10**18)]  # type: ignore[arg-type]
    monkeypatch.setattr(message, "_pure", None)
    monkeypatch.setattr(message, "wall_ns", lambda: 10**18)
    assert [*message.messages(frames, ORIGIN, naming)] == expected  # type: ignore[arg-type]
    assert {len(found[3]) for found in expected} == {32, 41}


def test_a_topic_for_each_record() -> None:
    """It depends on what is in a line: Python reads that."""
    frames = table_of([LINE % 1])
    (found,) = message.messages(frames, ORIGIN, TopicPattern("{service.name}-logs"))  # type: ignore[arg-type]
    assert found[1] == "shop-logs"


def test_what_it_refuses() -> None:
    """Numbers out of range, and things of another kind."""
    frames = table_of([LINE % 1])
    rest = ("topic", b"spool-", b"end", "uid", message._SEVERITIES, ("a", b"b"), 0)
    with pytest.raises(ValueError, match="out of range"):
        core.messages(frames, -1, 1, *rest)
    with pytest.raises(ValueError, match="out of range"):
        core.messages(frames, 0, 1, *rest[:4], [], *rest[5:])
    with pytest.raises(TypeError):
        core.messages([], 0, 1, *rest)
    assert core.messages(frames, 0, 0, *rest) == ([], 0)
    assert core.messages(frames, 0, -5, *rest) == ([], 0)
    assert core.messages(frames, 9, 5, *rest) == ([], 9)


def test_nothing_leaks() -> None:
    """Messages and errors leave no memory behind, and no reference to what is in each."""
    frames = table_of([LINE % number for number in range(20)])
    topic, header, content = "a topic", "a header", ("content-type", b"application/json")

    def turn(times: int) -> None:
        for _ in range(times):
            rest = (topic, b"spool-", b"end", header, message._SEVERITIES, content, 0)
            assert len(core.messages(frames, 0, 50, *rest)[0]) == 20
            with contextlib.suppress(ValueError):
                core.messages(frames, -1, 50, *rest)
        gc.collect()

    gc.collect()
    before = [sys.getrefcount(each) for each in (topic, header, content, *message._SEVERITIES)]
    tracemalloc.start()
    try:
        turn(100)
        size = tracemalloc.get_traced_memory()[0]
        turn(1_000)
        assert tracemalloc.get_traced_memory()[0] - size < 16_000
    finally:
        tracemalloc.stop()
    assert [sys.getrefcount(each) for each in (topic, header, content, *message._SEVERITIES)] == before
