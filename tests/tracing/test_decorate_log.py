"""``@otel_log``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_stdlib.tracing.decorate import otel_log, otel_trace
from tests.tracing.support import Lines, span_id

log = logging.getLogger("shop")


class TestLog:
    def test_a_call_is_logged_when_it_ends(self, lines: Lines) -> None:
        """Without a span of its own; the start is for DEBUG."""

        @otel_log
        def work() -> str:
            return span_id()

        assert "" == work()
        start, end = lines.lines
        assert ("DEBUG", "call.start", "INFO", "call.end") == (
            start["severity_text"],
            start["event_name"],
            end["severity_text"],
            end["event_name"],
        )
        assert "trace_id" not in end
        assert ("ok", work.__qualname__) == (end["attributes"]["call.status"], end["attributes"]["call.name"])
        assert 0 <= end["attributes"]["duration_ms"]

    def test_failure_attributes_and_correlation(self, lines: Lines) -> None:
        """As for spans."""

        @otel_log("op", correlation_id="req-1", attributes={"a": 1}, level="WARNING")
        async def work() -> None:
            log.info("inside")
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            asyncio.run(work())
        end = lines.find("call failed: op")
        assert ("ERROR", "error", 1, "req-1", "ValueError") == (
            end["severity_text"],
            end["attributes"]["call.status"],
            end["attributes"]["a"],
            end["attributes"]["correlation_id"],
            end["attributes"]["exception.type"],
        )
        assert "req-1" == lines.find("inside")["attributes"]["correlation_id"]

    @pytest.mark.parametrize("decorate", [otel_log, otel_trace])
    def test_generators(self, lines: Lines, decorate: Callable[..., Any]) -> None:
        """Logged once, when they are through."""

        @decorate("gen")
        def numbers() -> Iterator[int]:
            yield from (1, 2)

        assert [1, 2] == list(numbers())
        assert 2 == len(lines.lines)

    def test_async_generators(self, lines: Lines) -> None:
        """Logged once, when they are through, fail or are closed early."""

        @otel_log("gen")
        async def numbers(*, fail: bool = False) -> Any:
            yield 1
            if fail:
                raise ValueError("broken")

        async def main() -> None:
            assert [1] == [item async for item in numbers()]
            with pytest.raises(ValueError, match="broken"):
                [item async for item in numbers(fail=True)]
            early = numbers()
            await early.__anext__()
            await early.aclose()

        asyncio.run(main())
        ends = [line["attributes"]["call.status"] for line in lines.lines if line["event_name"] == "call.end"]
        assert ["ok", "error", "ok"] == ends

    def test_an_unknown_level(self) -> None:
        """It is refused where it is written, not with the first call."""
        with pytest.raises(ValueError, match="no level 'LOUD'"):
            otel_log(level="LOUD")
