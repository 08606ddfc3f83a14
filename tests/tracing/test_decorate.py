"""``@otel_trace``."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from otel_stdlib.tracing.decorate import otel_trace
from otel_stdlib.tracing.manager import otel_span
from tests.tracing.support import Lines, span_id

log = logging.getLogger("shop")


class TestFunctions:
    def test_each_call_is_a_span(self, lines: Lines) -> None:
        """Named by the function or by the decorator; the place is the function's."""

        @otel_trace
        def plain(x: int) -> int:
            """Doc."""
            log.info("inside")
            return x + 1

        @otel_trace(operation_name="calculate", correlation_id="req-001", attributes={"a": 1})
        def named() -> None:
            plain(1)

        assert (6, "Doc.", "plain") == (plain(5), plain.__doc__, plain.__name__)
        assert plain.__qualname__ == lines.lines[-1]["attributes"]["span.name"]
        assert __file__ == lines.lines[-1]["attributes"]["code.file.path"]
        lines.lines.clear()
        named()
        end = lines.find("span ended: calculate")
        assert (1, "req-001") == (end["attributes"]["a"], end["attributes"]["correlation_id"])
        assert "req-001" == lines.find("inside")["attributes"]["correlation_id"]
        assert end["trace_id"] == lines.find("inside")["trace_id"]

    def test_an_exception_passes(self, lines: Lines) -> None:
        """The same object; the span failed."""
        raised = KeyError("x")

        @otel_trace("op")
        def fail() -> None:
            raise raised

        with pytest.raises(KeyError) as caught:
            fail()
        assert raised is caught.value
        assert None is raised.__context__
        assert "error" == lines.find("span failed: op")["attributes"]["span.status"]

    def test_methods(self, lines: Lines) -> None:
        """Plain, static and class methods, with the decorator on either side."""

        class Shop:
            @otel_trace
            def plain(self) -> str:
                return "plain"

            @otel_trace
            @staticmethod
            def inner_static() -> str:
                return "inner static"

            @classmethod
            @otel_trace(operation_name="by class")
            def of_class(cls) -> str:
                return cls.__name__

            @otel_trace("outer")
            @classmethod
            def of_class_too(cls) -> str:
                return cls.__name__

        shop = Shop()
        assert ["plain", "inner static", "Shop", "Shop"] == [
            shop.plain(),
            shop.inner_static(),
            shop.of_class(),
            shop.of_class_too(),
        ]
        assert 8 == len(lines.lines)

    def test_any_callable(self) -> None:
        """An object with ``__call__`` has no name of its own."""

        class Adder:
            def __call__(self, x: int) -> int:
                return x + 1

        assert 2 == otel_trace(Adder())(1)


class TestCoroutines:
    def test_the_span_lasts_until_it_is_done(self, lines: Lines) -> None:
        """And it is still known as a coroutine function."""

        @otel_trace("op")
        async def work() -> str:
            await asyncio.sleep(0)
            log.info("inside")
            return "done"

        assert inspect.iscoroutinefunction(work)
        assert "done" == asyncio.run(work())
        assert ["span started: op", "inside", "span ended: op"] == lines.bodies
        assert 1 == len({line["span_id"] for line in lines.lines})


class TestGenerators:
    def test_the_context_holds_inside_and_not_between(self, lines: Lines) -> None:
        """The consumer's own context is never touched."""

        @otel_trace("gen")
        def numbers() -> Iterator[str]:
            yield span_id()
            yield span_id()

        with otel_span("consumer", events=False) as consumer:
            seen = []
            for inner in numbers():
                seen.append(inner)
                assert consumer.span_id == span_id()
        assert 1 == len(set(seen))
        assert consumer.span_id not in seen
        end = lines.find("span ended: gen")
        assert (seen[0], consumer.span_id) == (end["span_id"], end["attributes"]["span.parent_id"])

    def test_send_throw_return(self) -> None:
        """The whole protocol passes through."""

        @otel_trace
        def echo() -> Any:
            got = []
            try:
                while True:
                    got.append((yield len(got)))
            except KeyError as error:
                yield repr(error)
            return got

        generator = echo()
        assert [0, 1, 2] == [next(generator), generator.send("a"), generator.send("b")]
        assert "KeyError('x')" == generator.throw(KeyError("x"))
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert ["a", "b"] == stop.value.value

    def test_closed_early(self, lines: Lines) -> None:
        """Its clean-up runs in its context; to be closed is no failure."""
        seen = []

        @otel_trace("gen")
        def numbers() -> Iterator[int]:
            try:
                yield 1
                yield 2
            finally:
                seen.append(span_id())

        for _ in numbers():
            break
        assert [lines.find("span ended: gen")["span_id"]] == seen

    def test_a_failure(self, lines: Lines) -> None:
        """It passes, and the span failed."""

        @otel_trace("gen")
        def numbers() -> Iterator[int]:
            yield 1
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            list(numbers())
        assert "error" == lines.find("span failed: gen")["attributes"]["span.status"]

    def test_never_started(self, lines: Lines) -> None:
        """A generator that nobody asks has no span."""

        @otel_trace("gen")
        def numbers() -> Iterator[int]:
            yield 1

        numbers()
        assert [] == lines.lines


class TestAsyncGenerators:
    def test_the_whole_protocol(self, lines: Lines) -> None:
        """Items, values sent in, early end; the consumer's context is its own."""

        @otel_trace("gen")
        async def echo() -> Any:
            got = None
            try:
                while True:
                    await asyncio.sleep(0)
                    got = yield (got, span_id())
            finally:
                log.info("clean up")

        async def main() -> None:
            generator = echo()
            first = await generator.__anext__()
            second = await generator.asend("a")
            assert ("a", first[1]) == second
            assert "" == span_id()
            await generator.aclose()

        asyncio.run(main())
        end = lines.find("span ended: gen")
        assert end["span_id"] == lines.find("clean up")["span_id"]

    def test_iterated_to_its_end_and_failing(self, lines: Lines) -> None:
        """Both ends of a loop."""

        @otel_trace("gen")
        async def numbers(*, fail: bool) -> AsyncIterator[int]:
            yield 1
            if fail:
                raise ValueError("broken")

        async def main(*, fail: bool) -> list[int]:
            return [item async for item in numbers(fail=fail)]

        assert [1] == asyncio.run(main(fail=False))
        with pytest.raises(ValueError, match="broken"):
            asyncio.run(main(fail=True))
        assert ["ended", "failed"] == [b.split()[1].rstrip(":") for b in lines.bodies if "started" not in b]
