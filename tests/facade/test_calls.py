"""Facade calls: the caller's place, any attribute, the same from coroutines."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import otel_stdlib
from otel_stdlib import OTelLogger, alog, alog_info, log, log_info
from otel_stdlib.tracing.manager import aotel_span
from tests.tracing.support import Lines

LEVELS = ("debug", "info", "warning", "error", "critical")


@pytest.fixture
def lines() -> Any:
    """Everything that is logged at DEBUG and above, as lines."""
    handler = Lines()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)


@pytest.fixture
def logger() -> OTelLogger:
    """A facade without a pipeline: its records go where ``logging`` sends them."""
    return OTelLogger()


def line_of(word: str) -> int:
    """The number of the line in this file that ends with ``# word``."""
    source = inspect.getsource(inspect.getmodule(line_of)).splitlines()  # type: ignore[arg-type]
    return next(i for i, line in enumerate(source, 1) if line.rstrip().endswith(f"# {word}"))


class TestPlace:
    def test_functions_and_methods_show_their_caller(self, lines: Lines, logger: OTelLogger) -> None:
        """File, line, function and logger are the caller's, from functions, methods and coroutines."""
        log_info("a")  # here: function
        logger.info("b")  # here: method

        async def main() -> None:
            await alog_info("c")  # here: async function
            await logger.ainfo("d")  # here: async method
            await asyncio.gather(alog_info("e"))  # here: task

        asyncio.run(main())
        words = ("function", "method", "async function", "async method", "task")
        for body, word in zip("abcde", words, strict=True):
            line = lines.find(body)
            assert __name__ == line["scope"]["name"]
            attributes = line["attributes"]
            assert (__file__, line_of(f"here: {word}")) == (
                attributes["code.file.path"],
                attributes["code.line.number"],
            )
        assert lines.find("a")["attributes"]["code.function.name"].endswith(
            "test_functions_and_methods_show_their_caller"
        )
        assert lines.find("c")["attributes"]["code.function.name"].endswith("main")

    def test_stacklevel(self, lines: Lines) -> None:
        """A helper of the application's can step aside."""

        def helper() -> None:
            log_info("x", stacklevel=2)

        helper()  # here: helper
        assert line_of("here: helper") == lines.find("x")["attributes"]["code.line.number"]


class TestAttributes:
    def test_any_name(self, lines: Lines) -> None:
        """Names of a LogRecord, of the facade's own parameters, of Python; all arrive as they are."""
        names = {
            name: f"v-{name}"
            for name in (
                *vars(logging.makeLogRecord({})),
                "message",
                "asctime",
                "self",
                "level",
                "logger",
                "frame",
            )
        }
        log_info("x", **names)
        log(logging.INFO, "y", **names)
        for body in "xy":
            found = lines.find(body)
            assert "v-message" == found["attributes"]["message"]
            wanted = {k: v for k, v in names.items() if k not in ("exc_info", "stack_info", "taskName")}
            assert wanted.items() <= found["attributes"].items()

    def test_mapping_and_keywords(self, lines: Lines) -> None:
        """Keywords win over ``attributes``; nested values keep their structure."""
        log_info("x", attributes={"a": 1, "b": {"c": [2]}, "name": "n"}, a=3)
        assert {"a": 3, "b": {"c": [2]}, "name": "n"}.items() <= lines.find("x")["attributes"].items()

    def test_what_is_no_mapping(self, lines: Lines) -> None:
        """A log call never raises: it becomes an attribute of that name."""
        log_info("x", attributes="text")
        assert "text" == lines.find("x")["attributes"]["attributes"]

    def test_the_caller_s_mapping_is_not_changed(self, lines: Lines) -> None:
        """It may be used again."""
        mine = {"a": 1}
        log_info("x", attributes=mine, b=2)
        assert {"a": 1} == mine

    def test_correlation_id(self, lines: Lines) -> None:
        """The call's own wins over the span's, and any value becomes text."""

        async def main() -> None:
            async with aotel_span("s", correlation_id="span", events=False):
                await alog_info("x", correlation_id="own")
                await alog_info("y")
                await alog_info("z", correlation_id=5)

        asyncio.run(main())
        assert ["own", "span", "5"] == [lines.find(b)["attributes"]["correlation_id"] for b in "xyz"]

    def test_arguments_and_percent_signs(self, lines: Lines) -> None:
        """As in ``logging``: without arguments the text is left alone."""
        log_info("%s of %d", "3", 5)
        log_info("100%", a=1)
        log_info({"structured": True})
        assert ["3 of 5", "100%", {"structured": True}] == lines.bodies


class TestLevels:
    def test_every_method_and_function(self, lines: Lines, logger: OTelLogger) -> None:
        """Each has its level, awaited or not."""

        async def main() -> None:
            for name in LEVELS:
                getattr(logger, name)("m")
                getattr(otel_stdlib, f"log_{name}")("f")
                await getattr(logger, f"a{name}")("am")
                await getattr(otel_stdlib, f"alog_{name}")("af")
            logger.log("warning", "m")
            await logger.alog(15, "m")
            await alog("ERROR", "f")

        asyncio.run(main())
        expected = [name.upper() for name in LEVELS for _ in range(4)]
        assert [*expected, "WARNING", "Level 15", "ERROR"] == [line["severity_text"] for line in lines.lines]

    def test_a_level_that_is_not_wanted(self, lines: Lines) -> None:
        """No record is made, awaited or not."""
        logging.getLogger().setLevel(logging.WARNING)
        log_info("x")
        asyncio.run(alog_info("y"))
        assert [] == lines.lines

    def test_exceptions(self, lines: Lines, logger: OTelLogger) -> None:
        """``exception`` and ``exc_info``, also from a coroutine that runs later."""

        async def main() -> None:
            try:
                raise ValueError("broken")
            except ValueError as error:
                logger.exception("a")
                otel_stdlib.log_exception("b")
                log_info("c", exc_info=error)
                waiting = alog_info("d", exc_info=True)
                log_info("e", exc_info=(type(error), error, error.__traceback__))
            await waiting
            log_info("f", exc_info=True)

        asyncio.run(main())
        types = [lines.find(b)["attributes"].get("exception.type") for b in "abcdef"]
        assert ["ValueError"] * 5 + [None] == types

    def test_stack(self, lines: Lines) -> None:
        """It ends with the call."""
        log_info("x", stack_info=True)  # here: stack
        assert lines.find("x")["attributes"]["code.stacktrace"].rstrip().endswith("# here: stack")


class TestAsync:
    @pytest.mark.parametrize("function", [alog_info, alog, OTelLogger().ainfo, otel_stdlib.alog_error])
    def test_they_are_known_as_coroutine_functions(self, function: Callable[..., Any]) -> None:
        """Frameworks ask before they call."""
        # asyncio's is deprecated where inspect knows of marks: frameworks ask the one or the other.
        ask = inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
        assert ask(function)

    def test_several_loops_and_threads(self, lines: Lines) -> None:
        """No loop is kept, none is needed."""

        def work(name: str) -> None:
            for i in range(3):
                asyncio.run(alog_info("%s %d", name, i))

        threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {f"t{n} {i}" for n in range(3) for i in range(3)} == set(lines.bodies)

    def test_no_loop_at_all(self, lines: Lines) -> None:
        """Driven by hand it is done in one step: no event loop is asked for."""
        coroutine = alog_info("by hand")
        with pytest.raises(StopIteration):
            coroutine.send(None)
        assert ["by hand"] == lines.bodies

    def test_an_exception(self, lines: Lines) -> None:
        """``aexception`` has it, as ``exception`` does."""

        async def main() -> None:
            try:
                raise KeyError("k")
            except KeyError:
                await OTelLogger().aexception("failed")

        asyncio.run(main())
        assert "KeyError" == lines.find("failed")["attributes"]["exception.type"]

    def test_the_loop_is_not_left(self, lines: Lines) -> None:
        """One await is one record, at once: other tasks do not run between, and no thread is used."""
        before = threading.active_count()

        async def main() -> None:
            asyncio.get_running_loop().call_soon(lines.lines.clear)
            await alog_info("x")
            assert ["x"] == lines.bodies
            assert before == threading.active_count()

        asyncio.run(main())

    def test_a_starlette_background_task(self, lines: Lines) -> None:
        """It is awaited there, as the seed's price service does."""
        background = pytest.importorskip("starlette.background")
        asyncio.run(background.BackgroundTask(alog_info, "x", attributes={"a": 1}, correlation_id="req-1")())
        assert "req-1" == lines.find("x")["attributes"]["correlation_id"]


def test_generated_correlation_ids() -> None:
    """32 hex digits, another one each time."""
    ids = {otel_stdlib.generate_correlation_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)
