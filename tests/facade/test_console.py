"""The line that people read on stderr."""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import Any

import pytest

from otel_stdlib import configure_logger, log_info
from otel_stdlib.facade.console import ConsoleFormatter, ConsoleHandler


def record(message: str = "hello", **extra: Any) -> logging.LogRecord:
    """A record with extras."""
    made = logging.LogRecord("shop", logging.INFO, "f.py", 1, message, (), None)
    made.__dict__.update(extra)
    return made


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


def test_one_line() -> None:
    """Time, level, logger, message, short trace id, attributes."""
    line = ConsoleFormatter().format(
        record(trace_id="ab" * 16, span_id="cd" * 8, total=3, text="two words", none=None)
    )
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} INFO     shop hello \[abababab\] total=3 text='two words'", line
    )


@pytest.mark.parametrize(
    ("message", "shown"), [("a\nb", "a\\nb"), ("\x1b[2Jx", "\\x1b[2Jx"), ("a\rb", "a\\rb"), ("ä€😀", "ä€😀")]
)
def test_a_message_cannot_move_the_cursor(message: str, shown: str) -> None:
    """One record is one line, whatever is in it."""
    assert ConsoleFormatter().format(record(message)).endswith(f" shop {shown}")


def test_a_value_that_cannot_be_shown() -> None:
    """Or is too long: the line stays one."""

    class Broken:
        def __str__(self) -> str:
            raise ValueError("no")

    line = ConsoleFormatter().format(record(a=Broken(), b="x" * 5000, c="", d="a\nb"))
    assert " a=<Broken> " in line
    assert len(line) < 400
    assert line.endswith("d='a\\nb'")


def test_an_exception_stands_below() -> None:
    """With its stack."""
    try:
        raise ValueError("broken")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    assert ConsoleFormatter().format(made).splitlines()[-1] == "ValueError: broken"


class TestColours:
    def write(self, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
        """What one record looks like on ``stream``."""
        monkeypatch.setattr(sys, "stderr", stream)
        ConsoleHandler().handle(record(a=1))
        return stream.getvalue()

    def test_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The level is coloured."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert "\x1b[32mINFO" in self.write(monkeypatch, Terminal())

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_not_where_it_is_not_wanted(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        """https://no-color.org, and terminals that cannot."""
        monkeypatch.setenv(name, value)
        assert "\x1b" not in self.write(monkeypatch, Terminal())

    def test_not_in_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No terminal, no colours."""
        assert "\x1b" not in self.write(monkeypatch, io.StringIO())

    def test_a_stderr_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is raised."""
        monkeypatch.setattr(sys, "stderr", None)
        ConsoleHandler().handle(record())
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stderr", closed)
        ConsoleHandler().handle(record())

    def test_an_encoding_that_has_too_little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it lacks is escaped."""
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
        ConsoleHandler().handle(record("ä"))
        assert b"shop \\xe4" in raw.getvalue()


def test_through_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """``enable_console: true``: with the attributes that a record's own names hide."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger = configure_logger(enable_console=True)
    log_info("hello", name="bob", message="m", n=1, correlation_id="req-1")
    logger.close()
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(f" {__name__} hello n=1 correlation_id=req-1 name=bob message=m")
