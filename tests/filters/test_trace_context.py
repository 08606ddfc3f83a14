"""Trace fields on the record itself."""

from __future__ import annotations

import concurrent.futures
import logging

import pytest

from otel_stdlib import (
    ContextExecutor,
    SpanContext,
    attach,
    current_context,
    detach,
    format_traceparent,
    parse_traceparent,
    wrap_context,
)
from otel_stdlib.filters import TraceContextFilter
from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import close

CONTEXT = SpanContext("a" * 32, "b" * 16, "01", correlation_id="req-1")
FIELDS = ("trace_id", "span_id", "trace_flags", "correlation_id")


def filtered(**fields: object) -> logging.LogRecord:
    """A record that went through the filter."""
    record = logging.makeLogRecord({"msg": "x", **fields})
    assert TraceContextFilter().filter(record)
    return record


class TestFilter:
    def test_own_context(self) -> None:
        """The current context's four fields are on the record, and a plain format can use them."""
        token = attach(CONTEXT)
        try:
            record = filtered()
        finally:
            detach(token)
        text = logging.Formatter("%(trace_id)s %(span_id)s %(trace_flags)s %(correlation_id)s").format(record)
        assert text == f"{'a' * 32} {'b' * 16} 01 req-1"

    def test_none(self) -> None:
        """Without a trace the fields are there and empty, or the default."""
        assert [getattr(filtered(), name) for name in FIELDS] == ["", "", "", ""]
        record = logging.makeLogRecord({"msg": "x"})
        assert TraceContextFilter(default="-").filter(record)
        assert [getattr(record, name) for name in FIELDS] == ["-", "-", "-", "-"]

    def test_what_is_there_stays(self) -> None:
        """A record that brings its own trace keeps it."""
        assert filtered(trace_id="c" * 32).trace_id == "c" * 32  # type: ignore[attr-defined]

    def test_name(self) -> None:
        """The filter's name works as the standard library's."""
        record = logging.makeLogRecord({"msg": "x", "name": "a.b"})
        assert TraceContextFilter("a").filter(record)
        assert not TraceContextFilter("b").filter(record)

    def test_opentelemetry(self) -> None:
        """With opentelemetry-api's span current, that is the trace; the correlation id is ours."""
        trace = pytest.importorskip("opentelemetry.trace")
        span = trace.NonRecordingSpan(trace.SpanContext(1, 2, False, trace.TraceFlags(1)))
        token = attach(CONTEXT)
        try:
            with trace.use_span(span):
                record = filtered()
        finally:
            detach(token)
        found = [getattr(record, name) for name in FIELDS]
        assert found == [f"{1:032x}", f"{2:016x}", "01", "req-1"]

    def test_the_encoder_lifts_the_fields(self) -> None:
        """Filtered fields become the record's trace, not attributes; empty ones nothing."""
        token = attach(CONTEXT)
        try:
            record = filtered()
        finally:
            detach(token)
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        line = close(encoded[0])
        assert line["trace_id"] == "a" * 32
        assert "trace_id" not in line["attributes"]
        assert line["attributes"]["correlation_id"] == "req-1"
        encoded = LineEncoder().encode(filtered())
        assert encoded is not None
        assert "trace_id" not in close(encoded[0])


class TestThreads:
    def test_executors_and_threads_with_help(self) -> None:
        """A plain executor sees no context; ``ContextExecutor`` and ``wrap_context`` bring it along."""
        token = attach(CONTEXT)
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                assert pool.submit(current_context).result() is None
                assert ContextExecutor(pool).submit(current_context).result() == CONTEXT
                assert pool.submit(wrap_context(current_context)).result() == CONTEXT
        finally:
            detach(token)


class TestTraceparent:
    def test_round_trip(self) -> None:
        """What is formatted is parsed back, as a remote context."""
        header = format_traceparent(CONTEXT)
        assert header == f"00-{'a' * 32}-{'b' * 16}-01"
        parsed = parse_traceparent(header, "vendor=1", "req-1")
        assert parsed is not None
        assert (parsed.trace_id, parsed.span_id, parsed.is_remote, parsed.tracestate) == (
            "a" * 32,
            "b" * 16,
            True,
            "vendor=1",
        )

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "00",
            "ff-" + "a" * 32 + "-" + "b" * 16 + "-01",
            "00-" + "0" * 32 + "-" + "b" * 16 + "-01",
            "00-" + "a" * 32 + "-" + "0" * 16 + "-01",
            "00-" + "A" * 32 + "-" + "b" * 16 + "-01",
            "00-" + "a" * 31 + "-" + "b" * 16 + "-01",
            "00-" + "a" * 32 + "-" + "b" * 16 + "-1",
            "00-" + "a" * 32 + "-" + "b" * 16 + "-01-more",
            "00-" + "a" * 32 + "-" + "b" * 16 + "-01\n00",
        ],
    )
    def test_invalid_headers(self, header: str | None) -> None:
        """Each is refused, none raises."""
        assert parse_traceparent(header) is None

    def test_a_later_version_may_have_more(self) -> None:
        """Fields that a later version adds are ignored."""
        assert parse_traceparent("cc-" + "a" * 32 + "-" + "b" * 16 + "-01-what-else") is not None

    def test_no_span_no_header(self) -> None:
        """Without a trace and a span nothing is handed on."""
        assert format_traceparent(None) is None
        assert format_traceparent(SpanContext(correlation_id="x")) is None
