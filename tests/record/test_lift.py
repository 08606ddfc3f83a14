"""Trace ids and event names among a record's attributes."""

from __future__ import annotations

from typing import Any

import pytest

from otel_stdlib.record.lift import lift
from tests.record.lines import Logged

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_the_instrumentation_s_fields(logged: Logged) -> None:
    """What OpenTelemetry's logging instrumentation puts on a record is the trace, and no attribute."""
    extra = {
        "otelTraceID": TRACE,
        "otelSpanID": SPAN,
        "otelTraceSampled": True,
        "otelServiceName": "shop",
        "a": 1,
    }
    line = logged("x", extra=extra)
    assert (line["trace_id"], line["span_id"], line["trace_flags"]) == (TRACE, SPAN, "01")
    assert line["attributes"]["a"] == 1
    assert not [name for name in line["attributes"] if name.startswith("otel")]


@pytest.mark.parametrize("none", ["0", "", "-", "0" * 32])
def test_placeholders_are_no_trace(logged: Logged, none: str) -> None:
    """What filters write where there is no trace is left out."""
    line = logged("x", extra={"trace_id": none, "span_id": none, "trace_flags": none, "correlation_id": none})
    assert "trace_id" not in line
    assert not {"trace_id", "span_id", "trace_flags", "correlation_id"} & set(line["attributes"])


@pytest.mark.parametrize("odd", ["request-7", 12345, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", ["x"]])
def test_what_is_no_id_stays_an_attribute(logged: Logged, odd: Any) -> None:
    """A caller's own field of that name is not a trace."""
    line = logged("x", extra={"trace_id": odd})
    assert "trace_id" not in line
    assert line["attributes"]["trace_id"] == odd


def test_upper_case_ids(logged: Logged) -> None:
    """They are written in lower case."""
    assert logged("x", extra={"trace_id": TRACE.upper(), "span_id": SPAN.upper()})["trace_id"] == TRACE


def test_a_correlation_id_of_the_record(logged: Logged) -> None:
    """It is an attribute once, whatever its type."""
    assert logged("x", extra={"correlation_id": "c-1"})["attributes"]["correlation_id"] == "c-1"
    assert logged("x", extra={"correlation_id": 5})["attributes"]["correlation_id"] == 5


def test_a_long_event_name_stays_an_attribute() -> None:
    """An event's name is a name."""
    extras: dict[str, Any] = {"event.name": "x" * 1000}
    assert lift(extras).event_name == ""
    assert "event.name" in extras
