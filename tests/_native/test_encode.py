"""The compiled encoder: the same bytes as Python's, for any record."""

from __future__ import annotations

import contextvars
import logging
import random
from typing import Any

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.record.compiled import make_compiled
from otel_stdlib.record.encoder import LineEncoder
from tests._native.records import Encoders, make_context, make_record

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")


def test_any_record() -> None:
    """Ordinary and spoiled ones, in any context; both ways are taken by many."""
    first = random.SystemRandom().getrandbits(32)
    encoders = Encoders()

    def compare() -> None:
        for number in range(first, first + 4_000):
            chance = random.Random(number)
            if chance.random() < 0.1:
                make_context(chance)
            try:
                encoders.compare(make_record(chance))
            except BaseException:
                print(f"seed {number}")
                raise

    contextvars.copy_context().run(compare)
    fast, slow = encoders.paths()
    assert min(fast, slow) > 4_000, (fast, slow)


_TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": "01"}
_NO_TRACE = {"trace_id": "", "span_id": "", "trace_flags": "", "correlation_id": ""}


@pytest.mark.parametrize(
    ("extra", "in_c"),
    [
        ({}, True),
        ({"order_id": 7, "customer": "c-1017", "amount": 12.5, "paid": True, "note": None}, True),
        (_TRACE, True),
        ({**_TRACE, "correlation_id": "é", "order_id": 7}, True),
        (_NO_TRACE, True),
        ({"trace_id": "no id"}, False),
        ({"event.name": "order.placed"}, True),
        ({"message": "left by a formatter", "asctime": "2026"}, True),
        ({**_TRACE, "otelTraceID": "0"}, False),
        ({"cart": {"a": 1}}, False),
        ({"share": 1e-7}, False),
        ({"id": 2**53}, False),
    ],
)
def test_which_way_a_record_takes(extra: dict[str, Any], in_c: bool) -> None:
    """What is ordinary: the table of docs/delivery.md. Either way the bytes are the same, and the trace is found."""
    encoder = LineEncoder()
    compiled = make_compiled(encoder)
    for _ in range(2):
        record = logging.LogRecord("shop", 20, "/srv/app.py", 7, "order %s", (7,), None, "place")
        record.__dict__.update(extra)
        assert compiled.encode(record) == encoder.encode(record)
    assert (compiled.fast, compiled.slow) == ((2, 0) if in_c else (0, 2))
