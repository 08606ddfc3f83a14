"""One record as an open line: every field of an ordinary one."""

from __future__ import annotations

import datetime as dt
import logging
import sys
import threading
from typing import Any

import pytest

from otel_stdlib.record.context import SpanContext, attach, detach
from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import UID, Logged, close


class TestFields:
    def test_the_whole_record(self, logged: Logged) -> None:
        """Every field of an ordinary call."""
        line = logged(
            "user %s", "ann", extra={"user": "ann", "count": 3, "ok": True, "none": None, "ratio": 0.5}
        )
        assert line["severity_text"] == "INFO"
        assert line["severity_number"] == 9
        assert line["body"] == "user ann"
        assert line["scope"] == {"name": "tests.record"}
        assert line["resource"] == {"service.name": "t"}
        stamp = dt.datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
        assert abs((dt.datetime.now(dt.timezone.utc) - stamp).total_seconds()) < 60
        attributes = line["attributes"]
        assert attributes["code.function.name"].endswith("log")
        assert attributes["code.function.name"].startswith("tests.record.conftest.")
        assert attributes["code.file.path"] == __file__.replace("test_encoder", "conftest")
        assert isinstance(attributes["code.line.number"], int)
        assert attributes["thread.id"] == threading.get_ident()
        assert attributes["thread.name"] == threading.current_thread().name
        assert attributes["log.record.uid"] == UID.decode()
        assert {k: attributes[k] for k in ("user", "count", "ok", "none", "ratio")} == {
            "user": "ann",
            "count": 3,
            "ok": True,
            "none": None,
            "ratio": 0.5,
        }
        assert "trace_id" not in line

    @pytest.mark.parametrize(
        ("level", "number"),
        [(5, 1), (8, 2), (10, 5), (20, 9), (25, 10), (30, 13), (40, 17), (50, 21), (54, 22), (99, 24)],
    )
    def test_severity(self, logged: Logged, level: int, number: int) -> None:
        """TRACE and NOTICE have their numbers; what lies between takes the next one of its range."""
        line = logged("x", level=level)
        assert line["severity_number"] == number
        assert line["severity_text"] == logging.getLevelName(level)

    def test_time_is_the_record_s(self) -> None:
        """The time beside the line is the same as in it, to the microsecond."""
        record = logging.makeLogRecord({"msg": "x", "created": 1_700_000_000.123457})
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        assert close(encoded[0])["timestamp"].startswith("2023-11-14T22:13:20.123457")
        assert encoded[2] == 1_700_000_000_123_457_000

    @pytest.mark.parametrize(
        "created", [0.0, 0.9999999, 1.9999996, 4e9, -5.0, float("nan"), float("inf"), "then", None]
    )
    def test_any_time(self, created: Any) -> None:
        """A time that cannot be is survived; one at the edge of a second is carried over."""
        encoded = LineEncoder().encode(logging.makeLogRecord({"msg": "x", "created": created}))
        assert encoded is not None
        close(encoded[0])

    def test_structured_body(self, logged: Logged) -> None:
        """A mapping as message stays a mapping."""
        line = logged({"event": "login", "nested": {"a": [1, 2.5, None]}})
        assert line["body"] == {"event": "login", "nested": {"a": [1, 2.5, None]}}

    def test_stack_info(self, logged: Logged) -> None:
        """``stack_info`` has its own attribute."""
        line = logged("x", stack_info=True)
        assert "test_stack_info" in line["attributes"]["code.stacktrace"]

    def test_event_name(self, logged: Logged) -> None:
        """An event's name is lifted out of the attributes."""
        line = logged("x", extra={"event.name": "user.login"})
        assert line["event_name"] == "user.login"
        assert "event.name" not in line["attributes"]

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="records have task names from 3.12 on")
    def test_task_name(self, logged: Logged) -> None:
        """The asyncio task is an attribute."""
        import asyncio

        async def work() -> dict[str, Any]:
            return logged("x")

        async def main() -> dict[str, Any]:
            return await asyncio.create_task(work(), name="my task")

        assert asyncio.run(main())["attributes"]["asyncio.task.name"] == "my task"

    def test_own_trace(self, logged: Logged) -> None:
        """The current context is on the record, with its correlation id."""
        context = SpanContext("a" * 32, "b" * 16, "01", correlation_id="req-1")
        token = attach(context)
        try:
            line = logged("x")
        finally:
            detach(token)
        assert (line["trace_id"], line["span_id"], line["trace_flags"]) == ("a" * 32, "b" * 16, "01")
        assert line["attributes"]["correlation_id"] == "req-1"

    def test_opentelemetry_s_span_wins(self, logged: Logged) -> None:
        """With opentelemetry-api in use, its current span is the trace."""
        trace = pytest.importorskip("opentelemetry.trace")
        span = trace.NonRecordingSpan(trace.SpanContext(0x1234, 0x56, False, trace.TraceFlags(1)))
        token = attach(SpanContext("a" * 32, "b" * 16))
        try:
            with trace.use_span(span):
                line = logged("x")
            outside = logged("x")
        finally:
            detach(token)
        assert (line["trace_id"], line["span_id"]) == (f"{0x1234:032x}", f"{0x56:016x}")
        assert outside["trace_id"] == "a" * 32

    def test_a_user_s_attribute_wins(self, logged: Logged) -> None:
        """An extra of a derived attribute's name replaces it and never stands beside it."""
        line = logged("x", extra={"thread.name": "mine", "code.line.number": -1})
        assert line["attributes"]["thread.name"] == "mine"
        assert line["attributes"]["code.line.number"] == -1

    def test_delivery_threads_are_left_out(self) -> None:
        """What this package's own threads log does not come back in."""
        record = logging.makeLogRecord({"msg": "x", "threadName": "otel-stdlib-file"})
        assert LineEncoder().encode(record) is None
        assert LineEncoder(guard=False).encode(record) is not None


@pytest.mark.parametrize("created", [1_700_000_000.9999998, 1_700_000_000.9999990, 1_700_000_001.0000002])
def test_an_object_is_rendered_once_at_the_edge_of_a_second(created: float) -> None:
    """A time that rounds up into the next second is an ordinary one: rendering may log, and must not be repeated."""
    calls: list[int] = []

    class Counted:
        def __str__(self) -> str:
            calls.append(1)
            return "x"

    record = logging.LogRecord("app", logging.INFO, __file__, 1, "%s", (Counted(),), None)
    record.created = created
    encoder = LineEncoder()
    for _ in range(2):
        encoded = encoder.encode(record)
        assert encoded is not None
        assert encoded[2] == round(created * 1e6) * 1000
    assert len(calls) == 2


@pytest.mark.parametrize(
    "created", [1_796_040_208.0473585, 1_700_000_000.0000005, 1_700_000_000.9999996, 1.5e-6]
)
def test_records_of_one_moment_have_the_same_time(created: float) -> None:
    """Also where one is encoded with care: half a microsecond is rounded up for both."""
    plain, careful = (logging.makeLogRecord({"msg": "x", "created": created}) for _ in range(2))
    careful.__dict__["id"] = 2**64
    encoder = LineEncoder()
    first, second = encoder.encode(plain), encoder.encode(careful)
    assert first is not None
    assert second is not None
    assert first[2] == second[2]
    start = len('{"timestamp":"2026-08-22T10:11:12.000001Z"')
    assert first[0][:start] == second[0][:start]
