"""Exceptions: qualified types, whole stacks, bounded and never raised again."""

from __future__ import annotations

import json
import logging
import runpy
import sys
import traceback
import warnings
from pathlib import Path

import pytest

from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.exceptions import exception_attributes
from otel_stdlib.record.limits import Limits
from tests.record.lines import Logged, close


class TestExceptions:
    def test_type_message_and_stack(self, logged: Logged) -> None:
        """The type is qualified, the message is ``str(exc)``, the stack is whole."""

        class OddError(Exception):
            pass

        try:
            raise OddError("top", 2)
        except OddError:
            line = logged("failed", level=40, exc_info=True)
            expected = traceback.format_exc()
        attributes = line["attributes"]
        assert attributes["exception.type"] == f"{__name__}.{OddError.__qualname__}"
        assert attributes["exception.message"] == "('top', 2)"
        assert attributes["exception.stacktrace"].strip() == expected.strip()

    def test_builtin_type_has_no_module(self, logged: Logged) -> None:
        """``ValueError`` is ``ValueError``."""
        assert logged("x", exc_info=ValueError("v"))["attributes"]["exception.type"] == "ValueError"

    def test_chain(self, logged: Logged) -> None:
        """Causes are in the stack."""
        try:
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise RuntimeError("outer") from error
        except RuntimeError:
            stack = logged("x", exc_info=True)["attributes"]["exception.stacktrace"]
        assert "KeyError: 'inner'" in stack
        assert "direct cause" in stack

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="groups come with 3.11")
    def test_group(self, logged: Logged) -> None:
        """Members of a group are in the stack."""
        group = ExceptionGroup("several", [ValueError("one"), TypeError("two")])  # noqa: F821
        stack = logged("x", exc_info=group)["attributes"]["exception.stacktrace"]
        assert "ValueError: one" in stack
        assert "TypeError: two" in stack

    def test_hostile_exception(self, logged: Logged) -> None:
        """An exception that cannot say what it is is still logged."""

        class Hostile(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

            __repr__ = __str__

        line = logged("x", exc_info=Hostile())
        assert line["attributes"]["exception.type"].endswith("Hostile")

    def test_endless_chain_is_bounded(self, logged: Logged) -> None:
        """A cycle of causes ends, and a very long stack is cut."""
        first, second = ValueError("a" * 1000), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        line = logged("x", exc_info=first)
        assert len(json.dumps(line)) < 200_000

    def test_exception_as_message_and_argument(self, logged: Logged) -> None:
        """An exception object is text wherever it stands."""
        assert logged(ValueError("why"))["body"] == "why"
        assert logged("%s", ValueError("why"))["body"] == "why"

    def test_both_ends_of_a_long_stack_stay(self, logged: Logged) -> None:
        """A stack is cut in the middle, and the cut is counted."""
        encoder = LineEncoder(limits={"stacktrace_length": 400})
        attributes = logged("x", exc_info=ValueError("v" * 1000 + "end"), encoder=encoder)["attributes"]
        stack = attributes["exception.stacktrace"]
        assert len(stack) <= 400
        assert stack.startswith("ValueError: v")
        assert stack.endswith("vend")
        assert attributes["otel_stdlib.truncated_values"] == 1

    def test_deep_recursion_keeps_the_inner_frames(self, logged: Logged) -> None:
        """Of a thousand frames the innermost stay, with a note of the others."""

        def down(depth: int) -> None:
            if depth == 0:
                raise ValueError("bottom")
            down(depth - 1)

        try:
            down(300)
        except ValueError:
            stack = logged("x", exc_info=True)["attributes"]["exception.stacktrace"]
        assert "outer frames, not shown" in stack
        assert stack.endswith("ValueError: bottom")

    def test_many_exceptions(self, logged: Logged) -> None:
        """Of a long chain the first exceptions are shown."""
        error = ValueError("0")
        for number in range(1, 100):
            outer = ValueError(str(number))
            outer.__cause__ = error
            error = outer
        stack = logged("x", exc_info=error)["attributes"]["exception.stacktrace"]
        assert stack.count("ValueError: ") == 32
        assert stack.startswith("ValueError: 99")
        assert stack.endswith("more exceptions, not shown")

    def test_a_full_stack(self) -> None:
        """At any depth, down to the last frame, a record is a line."""
        encoder = LineEncoder()
        records = [logging.makeLogRecord({"msg": "%d", "args": ("x",), "n": n}) for n in range(4)]
        lines = []

        def down(encode: object) -> None:
            lines.extend(map(encoder.encode, records))
            down(encode)

        with pytest.raises(RecursionError) as caught:
            down(encoder.encode)
        assert caught.traceback[-1].name == "down"
        for line in lines:
            assert line is not None
            close(line[0])

    def test_what_another_queue_flattened(self, logged: Logged) -> None:
        """Type and message are read from the text of a traceback."""
        text = 'Traceback (most recent call last):\n  File "x"\nshop.PayError: no money'
        record = logging.makeLogRecord({"msg": "x", "exc_text": text})
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        attributes = close(encoded[0])["attributes"]
        assert attributes["exception.type"] == "shop.PayError"
        assert attributes["exception.message"] == "no money"
        assert attributes["exception.stacktrace"] == text

    @pytest.mark.parametrize("exc_info", [True, False, (None, None, None), (), "yes", 1])
    def test_any_exc_info(self, exc_info: object) -> None:
        """Whatever stands there is an exception or none."""
        encoded = LineEncoder().encode(logging.makeLogRecord({"msg": "x", "exc_info": exc_info}))
        assert encoded is not None
        assert "exception.type" not in close(encoded[0])["attributes"]


def test_a_module_without_a_loader_keeps_its_frames(tmp_path: Path) -> None:
    """As ``runpy.run_path`` makes it; from 3.15 on ``linecache`` warns of it, and warnings may be errors."""
    script = tmp_path / "program.py"
    script.write_text("def divide(number):\n    return number / 0\n")
    divide = runpy.run_path(str(script))["divide"]
    try:
        divide(1)
    except ZeroDivisionError as error:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            attributes = exception_attributes((type(error), error, error.__traceback__), None, Limits())
    assert f'File "{script}", line 2, in divide' in attributes["exception.stacktrace"]
