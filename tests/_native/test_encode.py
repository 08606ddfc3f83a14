"""The compiled encoder: the same bytes as Python's, for any record."""

from __future__ import annotations

import contextvars
import datetime as dt
import logging
import math
import random
import sys
import uuid
from typing import Any

import pytest

from otel_stdlib import SpanContext, attach
from otel_stdlib._native import core, missing
from otel_stdlib.filters import TraceContextFilter
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
_HAS_TASKS = pytest.mark.skipif(sys.version_info < (3, 12), reason="records have task names from 3.12 on")


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
        ({"cart": {"a": [1, {"b": None}]}, "order_id": 7}, True),
        ({"id": uuid.UUID(int=7), "when": dt.date(2026, 11, 30), "tags": {"a"}, "raw": b"x"}, True),
        ({"deep": [[[[[[1]]]]]], "object": logging}, True),
        ({f"n{number}": [number] for number in range(30)}, True),
        ({f"n{number}": [number] for number in range(40)}, False),
        ({"elapsed": 4.3e-05, "share": -1.25e-7, "least": 5e-324}, True),
        ({"large": 1e16, "none": math.nan}, True),
        ({"snowflake": 1_817_401_983_651_840_000, "least": -(2**63), "zero": -0.0}, True),
        ({"id": 2**63, "nested": [2**53]}, True),
        ({"half": "\ud800"}, False),
        ({"exc_info": (None, None, None)}, True),
        ({"exc_info": (ValueError, ValueError("no"), None), "order_id": 7}, True),
        ({"exc_info": (ValueError, ValueError("no" * 100_000), None)}, True),
        ({"exc_text": "Traceback", "stack_info": "Stack"}, True),
        ({"exc_text": "", "exc_info": 7}, False),
        pytest.param({"taskName": "Task-1"}, True, marks=_HAS_TASKS),
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


@pytest.mark.parametrize("trace", ["none", "own", "opentelemetry", "filter"])
def test_records_in_a_trace(trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with an exception as ``except`` has it: all in C."""
    encoder = LineEncoder()
    compiled = make_compiled(encoder)
    lines: list[bytes] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found, expected = compiled.encode(record), encoder.encode(record)
            assert found == expected
            assert found is not None
            lines.append(found[0])

    def log() -> None:
        if trace in ("own", "filter"):
            attach(SpanContext(_TRACE["trace_id"], _TRACE["span_id"], correlation_id="order-7"))
        if trace == "opentelemetry":
            api = pytest.importorskip("opentelemetry.trace")
            ids = int(_TRACE["trace_id"], 16), int(_TRACE["span_id"], 16)
            span = api.NonRecordingSpan(api.SpanContext(*ids, is_remote=False, trace_flags=api.TraceFlags(1)))
            pytest.importorskip("opentelemetry.context").attach(api.set_span_in_context(span))
        logger.info("order %s placed", 7, extra={"customer": "c-1017"})
        try:
            raise ValueError("no such order")
        except ValueError:
            logger.exception("order %s failed", 7)

    if trace != "opentelemetry":
        monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    logger = logging.Logger("shop")
    handler = Handler()
    if trace == "filter":
        handler.addFilter(TraceContextFilter())
    logger.addHandler(handler)
    contextvars.copy_context().run(log)
    assert [_TRACE["trace_id"].encode() in line for line in lines] == [trace != "none"] * 2
    assert b'"exception.type":"ValueError"' in lines[1]
    assert (compiled.fast, compiled.slow) == (2, 0)


class _Late:
    """Puts a trace on the record when its text is asked for: behind the first look at the record's fields."""

    record: logging.LogRecord

    def __str__(self) -> str:
        self.record.__dict__.update(_TRACE)
        return "late"


@pytest.mark.parametrize("before", [{}, {"trace_id": "", "span_id": "", "trace_flags": ""}, {"order_id": 7}])
def test_fields_that_formatting_adds(before: dict[str, Any]) -> None:
    """They count as those that were there before."""
    encoder = LineEncoder()
    lines = []
    for encode in (encoder.encode, make_compiled(encoder).encode, make_compiled(encoder).encode):
        argument = _Late()
        record = logging.LogRecord("shop", 20, "/srv/app.py", 7, "%s %s", (argument, 1), None, "place")
        record.created = 1_700_000_000.25
        record.__dict__.update(before)
        argument.record = record
        line = encode(record)
        assert line is not None
        lines.append(line[0])
        assert _TRACE["trace_id"].encode() in line[0]
    assert lines[1:] == lines[:1] * 2
