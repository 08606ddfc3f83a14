"""The encoder, the factory and the tip keep no memory and no reference, whichever way a call takes."""

from __future__ import annotations

import gc
import logging
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.record import factory
from otel_stdlib.record.compiled import make_compiled
from otel_stdlib.record.encoder import LineEncoder

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")

_TURNS = 1_000
_ERROR = ValueError("no such order")


def _text(number: int) -> str:
    return f"{number:032x}"


# Extras by number: those that are new texts each time miss what was kept of the record before.
_EXTRAS: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain": lambda _: {"order_id": 7, "amount": 12.5, "elapsed": 4.3e-05, "paid": True, "note": None},
    "large": lambda _: {f"n{number}": "x" * 300 for number in range(30)},
    "same trace": lambda _: {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"},
    "equal traces": lambda number: {"trace_id": _text(number % 100 + 1), "correlation_id": _text(number % 7)},
    "no trace": lambda _: {"trace_id": "request-7"},
    "exception": lambda _: {"exc_info": (ValueError, _ERROR, None), "stack_info": "Stack"},
    "nested": lambda _: {"cart": {"a": [1, 2]}},
    "far float": lambda _: {"share": 1e300},
    "half a character": lambda _: {"half": "\ud800"},
}


def _steady(turn: Callable[[int], object]) -> None:
    """Calls of ``turn`` leave less than 16 bytes each behind, once what is kept is kept: no object is as small."""

    def run() -> None:
        for number in range(_TURNS):
            turn(number)
        gc.collect()

    tracemalloc.start()
    try:
        run()
        before = tracemalloc.get_traced_memory()[0]
        run()
        assert tracemalloc.get_traced_memory()[0] - before < 16 * _TURNS
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", _EXTRAS)
def test_encoding(kind: str) -> None:
    """What was given is held by nobody afterwards, None and True neither."""
    encoder = LineEncoder()
    compiled = make_compiled(encoder)
    message, argument, extras = "order %s", "order-" + "7" * 40, _EXTRAS[kind]

    def turn(number: int) -> None:
        record = logging.LogRecord("shop", 20, "/srv/app.py", 7, message, (argument,), None, "place")
        record.__dict__.update(extras(number))
        assert compiled.encode(record) is not None

    _steady(turn)
    watched = [message, argument, *extras(0).values(), None, True]
    before = [sys.getrefcount(each) for each in watched]
    for _ in range(500):
        turn(0)
    after = [sys.getrefcount(each) for each in watched]
    assert all(abs(old - new) < 250 for old, new in zip(before, after, strict=True)), (before, after)


def test_what_was_kept_of_traces_goes_with_the_encoder() -> None:
    """And each place is given to the next trace before."""
    encoder = LineEncoder()
    compiled = make_compiled(encoder)
    traces = [_text(number) for number in range(1, 500)]
    before = [sys.getrefcount(each) for each in traces]
    for trace in traces:
        record = logging.LogRecord("shop", 20, "/srv/app.py", 7, "order", (), None, "place")
        record.__dict__["trace_id"] = trace
        assert compiled.encode(record) is not None
    assert compiled.slow == 0
    del compiled, encoder, record, trace  # the encoder in Python keeps traces too
    gc.collect()
    assert [sys.getrefcount(each) for each in traces] == before


def test_an_encoder_goes_with_all_that_it_kept() -> None:
    """Call sites, and what its records said of trace and event."""

    def turn(number: int) -> None:
        compiled = make_compiled(LineEncoder())
        for _ in range(3):
            record = logging.LogRecord("shop", 20, "/srv/app.py", number, "order", (), None, "place")
            record.__dict__.update(
                {
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "correlation_id": "order-7",
                    "event.name": "order.placed",
                    "exc_text": "ValueError",
                }
            )
            assert compiled.encode(record) is not None
        assert compiled.slow == 0

    _steady(turn)


def test_records() -> None:
    """Of one call site, of ever new ones, and with arguments that may be a mapping."""

    def turn(number: int) -> None:
        factory.fast_log_record("shop", 20, "/srv/app.py", 7, "m", ("a",), None, "f", None)
        factory.fast_log_record("shop", 20, "/srv/app.py", number % 700, "m", None, None, "f", "stack")
        factory.fast_log_record("shop", 20, "/srv/app.py", 7, "m", ({"a": 1},), None, "f", None)

    _steady(turn)


def test_frames() -> None:
    """Written, refused for want of room, and handed on."""
    view = bytearray(1 << 20)
    counter = core.Counter()
    handed: list[Any] = []
    tip = core.Tip(7, lambda *call: handed.append(call[1]))
    payload = b"x" * 100
    before = sys.getrefcount(payload)

    def turn(number: int) -> None:
        segment = object()
        tip.use(segment, counter, view, 0, len(view))
        counter.seek(-counter.tell(), 1)
        tip.append(payload, 20, 9, 1_700_000_000_000_000_000)
        tip.use(segment, counter, None, 0, 0, segment)
        assert tip.try_append(payload, 20, 9, 1) == -1
        tip.append(payload, 20, 9, 1)
        with pytest.raises(ValueError, match="out of range"):
            tip.try_append(payload, 20, 9_999, 1)
        handed.clear()

    _steady(turn)
    assert sys.getrefcount(payload) == before
    view.append(0)  # nobody has it mapped
