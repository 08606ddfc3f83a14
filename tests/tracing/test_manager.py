"""``otel_span`` and ``aotel_span``."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from otel_stdlib.record.context import (
    ContextExecutor,
    SpanContext,
    attach,
    current_context,
    detach,
    wrap_context,
)
from otel_stdlib.tracing.manager import aotel_span, otel_span
from tests.tracing.support import Lines

log = logging.getLogger("shop")


class TestSpan:
    def test_start_and_end_are_events_around_what_is_logged(self, lines: Lines) -> None:
        """All three records have the span's ids; the end has duration and status."""
        with otel_span("load", {"size": 3}) as span:
            log.info("inside")
        assert ["span started: load", "inside", "span ended: load"] == lines.bodies
        start, inside, end = lines.lines
        assert {(span.trace_id, span.span_id)} == {
            (line["trace_id"], line["span_id"]) for line in lines.lines
        }
        assert ("span.start", "span.end") == (start["event_name"], end["event_name"])
        assert "event_name" not in inside
        assert {"size": 3, "span.name": "load", "span.status": "ok"}.items() <= end["attributes"].items()
        assert 0 <= end["attributes"]["duration_ms"] < 60_000
        assert __name__ == end["scope"]["name"]

    def test_the_place_is_the_caller_s(self, lines: Lines) -> None:
        """Not a line of this package."""
        with otel_span("x"):
            pass
        assert {__file__} == {line["attributes"]["code.file.path"] for line in lines.lines}

    def test_spans_nest(self, lines: Lines) -> None:
        """One trace, each span under the one around it, and afterwards the outer one is current again."""
        with otel_span("outer") as outer:
            with otel_span("inner") as inner:
                pass
            assert outer.context is current_context()
        assert None is current_context()
        assert outer.trace_id == inner.trace_id
        assert outer.span_id != inner.span_id
        assert outer.span_id == lines.find("span ended: inner")["attributes"]["span.parent_id"]
        assert "span.parent_id" not in lines.find("span ended: outer")["attributes"]

    def test_a_correlation_id_goes_down(self, lines: Lines) -> None:
        """Inner spans and records have it until one has its own."""
        with otel_span("outer", correlation_id="req-1"):
            log.info("in outer")
            with otel_span("inner"), otel_span("other", correlation_id="req-2"):
                log.info("in other")
        assert "req-1" == lines.find("in outer")["attributes"]["correlation_id"]
        assert "req-1" == lines.find("span ended: inner")["attributes"]["correlation_id"]
        assert "req-2" == lines.find("in other")["attributes"]["correlation_id"]

    def test_it_continues_a_remote_trace(self, lines: Lines) -> None:
        """With its flags and its state."""
        token = attach(SpanContext("ab" * 16, "cd" * 8, "00", "v=1", "req-1", is_remote=True))
        with otel_span("x") as span:
            pass
        detach(token)
        assert ("ab" * 16, "00", "v=1", "req-1") == (
            span.trace_id,
            span.context.trace_flags,
            span.context.tracestate,
            span.correlation_id,
        )
        assert "cd" * 8 == lines.lines[0]["attributes"]["span.parent_id"]

    def test_an_exception_is_recorded_and_passes_untouched(self, lines: Lines) -> None:
        """The same object, no new cause or context; the end is an error with the stack."""
        raised = ValueError("broken")
        with pytest.raises(ValueError, match="broken") as caught, otel_span("x"):
            raise raised
        assert raised is caught.value
        assert (None, None) == (raised.__cause__, raised.__context__)
        end = lines.find("span failed: x")
        assert ("ERROR", "span.end") == (end["severity_text"], end["event_name"])
        attributes = end["attributes"]
        assert ("error", "ValueError", "broken") == (
            attributes["span.status"],
            attributes["exception.type"],
            attributes["exception.message"],
        )
        assert "raise raised" in attributes["exception.stacktrace"]
        assert None is current_context()

    def test_attributes_may_have_any_name(self, lines: Lines) -> None:
        """Also names that a LogRecord has itself, and more that come while it runs."""
        with otel_span("x", {"name": "n", "message": "m", "args": [1]}, thread="t", exc_info=2) as span:
            span.set_attribute("late", True)
            span.set_attributes({"more": 1.5})
        found = lines.find("span ended: x")["attributes"]
        expected = {
            "name": "n",
            "message": "m",
            "args": [1],
            "thread": "t",
            "exc_info": 2,
            "late": True,
            "more": 1.5,
        }
        assert expected.items() <= found.items()

    def test_level_and_events(self, lines: Lines) -> None:
        """A quiet span has ids and no events; a level below the logger's makes none either."""
        with otel_span("quiet", events=False) as span:
            log.info("inside")
        assert ["inside"] == lines.bodies
        assert span.span_id == lines.lines[0]["span_id"]
        logging.getLogger(__name__).setLevel(logging.INFO)
        with otel_span("low", level="DEBUG"):
            pass
        assert ["inside"] == lines.bodies

    def test_one_manager_used_again_makes_new_spans(self) -> None:
        """Also inside itself."""
        manager = otel_span("x")
        with manager as first, manager as second:
            pass
        assert first.span_id != second.span_id
        assert first.trace_id == second.trace_id


class TestAsync:
    def test_tasks_started_inside_belong_to_it(self, lines: Lines) -> None:
        """Concurrent spans do not mix."""

        async def work(name: str) -> None:
            async with aotel_span(name, correlation_id=name):
                await asyncio.sleep(0)
                log.info("in %s", name)

        async def main() -> None:
            async with aotel_span("all"):
                await asyncio.gather(*[work(f"w{i}") for i in range(5)])

        asyncio.run(main())
        whole = lines.find("span ended: all")
        for i in range(5):
            inside, end = lines.find(f"in w{i}"), lines.find(f"span ended: w{i}")
            assert f"w{i}" == inside["attributes"]["correlation_id"]
            assert (whole["trace_id"], end["span_id"]) == (inside["trace_id"], inside["span_id"])
            assert whole["span_id"] == end["attributes"]["span.parent_id"]

    def test_cancelled_work_is_no_failure(self, lines: Lines) -> None:
        """Its status says what happened."""

        async def main() -> None:
            async def work() -> None:
                async with aotel_span("x"):
                    await asyncio.sleep(60)

            task = asyncio.ensure_future(work())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())
        end = lines.find("span cancelled: x")
        assert ("INFO", "cancelled") == (end["severity_text"], end["attributes"]["span.status"])

    def test_both_managers_work_both_ways(self) -> None:
        """``with aotel_span`` and ``async with otel_span`` are the same."""

        async def main() -> None:
            with aotel_span("a") as outer:
                async with otel_span("b") as inner:
                    assert outer.trace_id == inner.trace_id

        asyncio.run(main())


class TestThreads:
    def test_helpers_carry_the_span(self, lines: Lines) -> None:
        """``wrap_context`` for one function, ``ContextExecutor`` for all of an executor's."""
        with ThreadPoolExecutor(1) as pool, otel_span("x") as span:
            pool.submit(wrap_context(log.info), "wrapped").result()
            ContextExecutor(pool).submit(log.info, "by executor").result()
            pool.submit(log.info, "plain").result()
        assert span.span_id == lines.find("wrapped")["span_id"] == lines.find("by executor")["span_id"]
        assert "span_id" not in lines.find("plain")
