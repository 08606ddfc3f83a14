"""The trace in and out of headers."""

from __future__ import annotations

import pytest

from otel_stdlib.record.context import SpanContext, attach
from otel_stdlib.tracing.headers import extract_headers, inject_headers
from otel_stdlib.tracing.manager import otel_span

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"


def test_out_and_in_again() -> None:
    """What one process sends is what the next one finds."""
    with otel_span("x", correlation_id="req-1", events=False) as span:
        headers = inject_headers({"accept": "*/*"})
    assert {"accept", "traceparent", "x-correlation-id"} == set(headers)
    found = extract_headers(headers)
    assert found is not None
    assert (span.trace_id, span.span_id, "req-1", True) == (
        found.trace_id,
        found.span_id,
        found.correlation_id,
        found.is_remote,
    )


def test_nothing_goes_out_without_a_context() -> None:
    """Headers stay as they are."""
    assert {} == inject_headers()


def test_a_correlation_id_alone() -> None:
    """It travels without a trace."""
    attach(SpanContext(correlation_id="req-1"))
    assert {"x-correlation-id": "req-1"} == inject_headers()


def test_a_correlation_id_that_is_no_header_stays_home() -> None:
    """A line end in one would be a header of its own."""
    attach(SpanContext(correlation_id="a\r\nevil: 1"))
    assert {} == inject_headers()


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": HEADER, "tracestate": "a=1"},
        {"Traceparent": HEADER, "TraceState": "a=1"},
        [(b"traceparent", HEADER.encode()), (b"tracestate", b"a=1")],
        [("TRACEPARENT", HEADER), ("tracestate", b"a=1")],
    ],
)
def test_every_form_of_headers(headers: object) -> None:
    """Mappings and pairs, text and bytes, any case."""
    found = extract_headers(headers)  # type: ignore[arg-type]
    assert found is not None
    assert (TRACE, SPAN, "01", "a=1") == (found.trace_id, found.span_id, found.trace_flags, found.tracestate)


def test_several_tracestate_headers_are_one_list() -> None:
    """Section 3.3.1.1 of the recommendation."""
    found = extract_headers([("traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")])
    assert found is not None
    assert "a=1,b=2" == found.tracestate


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": "garbage"},
        {"traceparent": HEADER.upper()},
        [("traceparent", HEADER), ("traceparent", HEADER)],
        {"x-correlation-id": ""},
        {"x-correlation-id": "a\nb"},
    ],
)
def test_what_is_not_valid_is_ignored(headers: object) -> None:
    """No context comes of it."""
    assert None is extract_headers(headers)  # type: ignore[arg-type]


def test_a_request_id_is_a_correlation_id() -> None:
    """Where there is no other; and a long one is cut."""
    found = extract_headers({"X-Request-ID": "r" * 1000})
    assert found is not None
    assert ("r" * 256, "") == (found.correlation_id, found.trace_id)
