"""Spans of a real OpenTelemetry SDK."""

from __future__ import annotations

import asyncio
import logging

import pytest

from otel_stdlib import SpanContext, attach, detach
from otel_stdlib.tracing.decorate import otel_trace
from otel_stdlib.tracing.manager import aotel_span, otel_span
from tests.tracing.support import Lines

log = logging.getLogger("shop")


def test_spans_are_the_sdk_s(spans: object, lines: Lines) -> None:
    """They reach its exporter with parents, attributes and status, and there are no events."""
    with otel_span("outer", {"size": 3, "odd": {"a": 1}, "none": None}, correlation_id="req-1") as outer:
        log.info("in outer")
        with otel_span("inner") as inner:
            inner.set_attribute("late", [1, 2])
            log.info("in inner")
    inner_span, outer_span = spans.get_finished_spans()  # type: ignore[attr-defined]
    assert ("inner", "outer") == (inner_span.name, outer_span.name)
    assert outer_span.context.span_id == inner_span.parent.span_id
    assert {"size": 3, "odd": "{'a': 1}", "correlation_id": "req-1"} == dict(outer_span.attributes)
    assert (1, 2) == inner_span.attributes["late"]
    assert (outer.span_id, inner.span_id) == (
        f"{outer_span.context.span_id:016x}",
        f"{inner_span.context.span_id:016x}",
    )
    assert ["in outer", "in inner"] == lines.bodies
    assert [outer.span_id, inner.span_id] == [line["span_id"] for line in lines.lines]
    assert {"req-1"} == {line["attributes"]["correlation_id"] for line in lines.lines}


def test_an_exception_is_on_the_span(spans: object) -> None:
    """As an event, and as the status."""
    with pytest.raises(ValueError, match="broken"), otel_span("x"):
        raise ValueError("broken")
    (span,) = spans.get_finished_spans()  # type: ignore[attr-defined]
    assert "ERROR" == span.status.status_code.name
    assert ["exception"] == [event.name for event in span.events]


def test_it_continues_a_trace_that_came_in_here(spans: object) -> None:
    """What this package's middleware attached is the parent."""
    token = attach(SpanContext("ab" * 16, "cd" * 8, "01", "v=1", is_remote=True))
    with otel_span("x"):
        pass
    detach(token)
    (span,) = spans.get_finished_spans()  # type: ignore[attr-defined]
    assert (int("ab" * 16, 16), int("cd" * 8, 16)) == (span.context.trace_id, span.parent.span_id)
    assert span.parent.is_remote
    assert "v=1" == span.context.trace_state.to_header()


def test_it_nests_with_the_sdk_s_own_spans(spans: object) -> None:
    """In both directions."""
    from opentelemetry import trace

    tracer = trace.get_tracer("t")
    with (
        tracer.start_as_current_span("theirs") as theirs,
        otel_span("ours"),
        tracer.start_as_current_span("theirs too"),
    ):
        pass
    names = {span.name: span for span in spans.get_finished_spans()}  # type: ignore[attr-defined]
    assert theirs.get_span_context().span_id == names["ours"].parent.span_id
    assert names["ours"].context.span_id == names["theirs too"].parent.span_id


def test_coroutines(spans: object, lines: Lines) -> None:
    """``@otel_trace`` on them and ``aotel_span`` in them: concurrent spans have their own parents."""

    @otel_trace("work", attributes={"kind": "task"})
    async def work(number: int) -> int:
        async with aotel_span(f"step {number}"):
            await asyncio.sleep(0)
            log.info("in %d", number)
        return number

    async def main() -> list[int]:
        async with aotel_span("all"):
            return await asyncio.gather(*[work(number) for number in range(4)])

    assert [0, 1, 2, 3] == asyncio.run(main())
    found = spans.get_finished_spans()  # type: ignore[attr-defined]
    by_id = {span.context.span_id: span for span in found}
    (whole,) = [span for span in found if span.name == "all"]
    assert [whole.context.span_id] * 4 == [span.parent.span_id for span in found if span.name == "work"]
    assert {"kind": "task"}.items() <= dict(found[-2].attributes).items()
    for number in range(4):
        step = by_id[int(lines.find(f"in {number}")["span_id"], 16)]
        assert (f"step {number}", "work") == (step.name, by_id[step.parent.span_id].name)
    assert 4 == len({span.parent.span_id for span in found if span.name.startswith("step")})


def test_a_coroutine_that_is_cancelled_or_fails(spans: object) -> None:
    """A failure is the span's status; a cancellation is none."""

    @otel_trace
    async def work(error: BaseException) -> None:
        raise error

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(work(ValueError("broken")))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work(asyncio.CancelledError()))
    failed, cancelled = spans.get_finished_spans()  # type: ignore[attr-defined]
    assert ("ERROR", "UNSET") == (failed.status.status_code.name, cancelled.status.status_code.name)
