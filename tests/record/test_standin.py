"""Stand-ins for exceptions: they print as the stored text and are what the original was, as far as is known."""

from __future__ import annotations

import gc
import logging
import sys
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from otel_stdlib.record.exceptions import bounded_stacktrace, exception_attributes
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.standin import stand_in


class Outer:
    class Failed(Exception):
        """One that is not built in, inside a class."""


def _plain() -> None:
    raise KeyError("k")


def _silent() -> None:
    raise RuntimeError


def _caused() -> None:
    try:
        _plain()
    except KeyError as error:
        raise Outer.Failed("größer: 1: 2") from error


def _in_context() -> None:
    try:
        _caused()
    except Outer.Failed:
        [][len("→")]


def _lines() -> None:
    raise ValueError("one\ntwo: three\n\nfour")


def _noted() -> None:
    error = ValueError("noted")
    if sys.version_info >= (3, 11):
        error.add_note("a note\nof two lines")
    raise error


def _typed() -> None:
    b"\xff".decode()


def _system() -> None:
    Path("/no/such/file").read_text()


def _syntax() -> None:
    compile("1 +", "x.py", "exec")


def _deep(left: int = 40) -> None:
    if left:
        _deep(left - 1)
    _silent()


def _long_statement() -> None:
    _lines_of(
        1,
        2,
    )


def _lines_of(*_: int) -> None:
    raise SystemExit(3)


def _hinted() -> None:
    [].apend(1)  # type: ignore[attr-defined]


def attributes_of(fail: Callable[[], None]) -> dict[str, str]:
    """What a record has of an exception."""
    try:
        fail()
    except BaseException as error:
        return exception_attributes(error, None, Limits())
    raise AssertionError("nothing was raised")


def printed(exc_info: Any) -> list[str]:
    """As formatters print it."""
    return [
        logging.Formatter().formatException(exc_info),
        "".join(traceback.format_exception(*exc_info)).rstrip("\n"),
        "".join(traceback.format_exception(exc_info[1])).rstrip("\n"),
    ]


_SIMPLE = [_plain, _silent, _caused, _in_context, _lines, _noted, _typed, _system, _hinted]


@pytest.mark.parametrize("fail", [*_SIMPLE, _syntax, _deep, _long_statement])
def test_the_text(fail: Callable[[], None]) -> None:
    """Whatever was raised, it is printed as it was."""
    stored = attributes_of(fail)
    exc_info = stand_in(stored)
    assert exc_info is not None
    assert [stored["exception.stacktrace"]] * 3 == printed(exc_info)
    assert stored == exception_attributes(exc_info, None, Limits())
    assert stored["exception.type"].rpartition(".")[2] == exc_info[0].__name__
    assert isinstance(exc_info[1], exc_info[0])


@pytest.mark.parametrize("fail", _SIMPLE)
def test_the_frames(fail: Callable[[], None]) -> None:
    """The traceback has the original's files, lines and functions; the exception its message."""
    stored = attributes_of(fail)
    exc_info = stand_in(stored)
    assert exc_info is not None
    _, error, trace = exc_info
    assert isinstance(trace, TracebackType)
    frames = traceback.extract_tb(trace)
    assert (__file__, fail.__name__) in [(frame.filename, frame.name) for frame in frames]
    assert all(frame.lineno for frame in frames)
    assert stored["exception.message"] == str(error).partition(". Did you mean")[0]
    assert not trace.tb_frame.f_locals


@pytest.mark.parametrize(
    ("fail", "kind"), [(_plain, KeyError), (_plain, LookupError), (_typed, UnicodeError), (_system, OSError)]
)
def test_a_built_in_exception_is_one(fail: Callable[[], None], kind: type[BaseException]) -> None:
    """A handler that looks at the type finds it."""
    exc_info = stand_in(attributes_of(fail))
    assert exc_info is not None
    assert isinstance(exc_info[1], kind)


def test_the_chain() -> None:
    """Cause and context are exceptions too."""
    exc_info = stand_in(attributes_of(_in_context))
    assert exc_info is not None
    context = exc_info[1].__context__
    assert context is not None
    cause = context.__cause__
    assert ["IndexError", "Failed", "KeyError"] == [type(e).__name__ for e in (exc_info[1], context, cause)]
    assert "größer: 1: 2" == str(context)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are from 3.11 on")
def test_a_group() -> None:
    """Printed as stored; its members are in the text only."""

    def fail() -> None:
        raise ExceptionGroup("eg", [ValueError("a: b"), KeyError("k")])  # noqa: F821

    stored = attributes_of(fail)
    exc_info = stand_in(stored)
    assert exc_info is not None
    assert [stored["exception.stacktrace"]] * 3 == printed(exc_info)
    assert "ExceptionGroup" == exc_info[0].__name__


@pytest.mark.parametrize("limit", [40, 200, 400])
def test_a_text_that_was_cut(limit: int) -> None:
    """The rest of it, unchanged; there are no frames."""
    stored = attributes_of(_in_context)
    stored["exception.stacktrace"] = bounded_stacktrace(stored["exception.stacktrace"], limit)
    exc_info = stand_in(stored)
    assert exc_info is not None
    assert [stored["exception.stacktrace"]] * 3 == printed(exc_info)
    assert exc_info[2] is None


def test_a_source_that_has_changed(tmp_path: Path) -> None:
    """Another version of the program delivers the record: the text is that of the one that logged it."""
    file = tmp_path / "program.py"
    file.write_text("def f():\n    return {}['old']\n")
    space: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    stored = attributes_of(space["f"])
    assert "old" in stored["exception.stacktrace"]
    for text in ("def f():\n    return {}['quite another']\n", ""):
        file.write_text(text)
        exc_info = stand_in(stored)
        assert exc_info is not None
        assert [stored["exception.stacktrace"]] * 3 == printed(exc_info)


@pytest.mark.parametrize(
    "stored",
    [
        {"exception.type": "ValueError", "exception.message": "no trace"},
        {"exception.type": "a.b.C", "exception.message": ""},
        {"exception.stacktrace": "not a traceback: at all"},
        {"exception.stacktrace": "Traceback (most recent call last):\nnot one either"},
        {"exception.type": "", "exception.stacktrace": ": : :\x00"},
        {"exception.type": "x" * 500 + " y", "exception.message": "m", "exception.stacktrace": "\n\n  File"},
        {"exception.type": "SyntaxError", "exception.message": "m", "exception.stacktrace": "SyntaxError: m"},
        {"exception.type": "ExceptionGroup", "exception.message": "m"},
    ],
)
def test_odd_attributes(stored: dict[str, str]) -> None:
    """A caller may have set them: what there is of a text is printed, and nothing raises."""
    exc_info = stand_in(stored)
    assert exc_info is not None
    for text in printed(exc_info):
        assert stored.get("exception.stacktrace", text) == text


@pytest.mark.parametrize("stored", [{}, {"exception.type": 1}, {"exception.stacktrace": ["x"]}])
def test_none(stored: dict[str, Any]) -> None:
    """No exception, or values that are no text."""
    assert None is stand_in(stored)


def test_nothing_is_kept() -> None:
    """Each stand-in goes with its record."""
    exc_info = stand_in(attributes_of(_in_context))
    assert exc_info is not None
    gone = weakref.ref(exc_info[0])
    del exc_info
    gc.collect()
    assert None is gone()
