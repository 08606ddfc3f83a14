"""What OpenTelemetry's own handler for Python loses of a record, kept here: one test a gap."""

from __future__ import annotations

import datetime as dt
import decimal
import logging
import os
import threading
from typing import Any

import pytest

from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import Logged, close


class ShopError(Exception):
    """An exception with two arguments."""


def test_levels_below_debug(logged: Logged) -> None:
    """5 is TRACE, the first number of its range, under the name that the source gave it."""
    logging.addLevelName(5, "TRACE")
    try:
        line = logged("x", level=5)
    finally:
        logging.addLevelName(5, "Level 5")
        logging._levelToName.pop(5)
        logging._nameToLevel.pop("TRACE", None)
        logging._nameToLevel.pop("Level 5", None)
    assert (line["severity_number"], line["severity_text"]) == (1, "TRACE")


def test_names_are_the_source_s(logged: Logged) -> None:
    """WARNING and CRITICAL stay what they are called."""
    assert logged("x", level=30)["severity_text"] == "WARNING"
    assert logged("x", level=50)["severity_text"] == "CRITICAL"


def test_structured_message(logged: Logged) -> None:
    """A mapping is not flattened into text."""
    assert logged({"event": "paid", "items": [1, 2]})["body"] == {"event": "paid", "items": [1, 2]}


def test_a_formatter_does_not_become_the_body(logged: Logged) -> None:
    """The body is the message; the exception stands in its attributes only."""
    line = logged("failed", exc_info=ValueError("v"))
    assert line["body"] == "failed"


def test_exception_is_qualified_and_whole(logged: Logged) -> None:
    """The type has its module, the message is ``str(exc)``."""
    attributes = logged("x", exc_info=ShopError("top", 2))["attributes"]
    assert attributes["exception.type"] == f"{__name__}.ShopError"
    assert attributes["exception.message"] == "('top', 2)"


def test_stack_thread_and_process(logged: Logged) -> None:
    """stack_info, thread and, where it is another one, the process are kept."""
    attributes = logged("x", stack_info=True)["attributes"]
    assert attributes["code.stacktrace"].startswith("Stack (most recent call last):")
    assert (attributes["thread.id"], attributes["thread.name"]) == (
        threading.get_ident(),
        threading.current_thread().name,
    )
    other = os.getpid() + 1  # this one may be process 1 of a container
    encoded = LineEncoder().encode(
        logging.makeLogRecord({"msg": "x", "process": other, "processName": "Worker-1"})
    )
    assert encoded is not None
    attributes = close(encoded[0])["attributes"]
    assert (attributes["process.pid"], attributes["multiprocessing.process.name"]) == (other, "Worker-1")


class Cart:
    """A place to log from."""

    def add(self, logged: Logged) -> dict[str, Any]:
        """Log from a method."""
        return logged("x", stacklevel=2)

    @classmethod
    def make(cls, logged: Logged) -> dict[str, Any]:
        """Log from a class method."""
        return logged("x", stacklevel=2)

    @property
    def total(self) -> dict[str, Any]:
        """Log from a property."""
        logged: Logged = self.__dict__["logged"]
        return logged("x", stacklevel=2)


def test_the_place_in_the_source(logged: Logged) -> None:
    """The function has its module and class, the file its whole path."""
    attributes = Cart().add(logged)["attributes"]
    assert attributes["code.function.name"] == f"{__name__}.Cart.add"
    assert attributes["code.file.path"] == __file__
    assert attributes["code.line.number"] == Cart.add.__code__.co_firstlineno + 2
    assert Cart.make(logged)["attributes"]["code.function.name"] == f"{__name__}.Cart.make"
    cart = Cart()
    cart.__dict__["logged"] = logged
    assert cart.total["attributes"]["code.function.name"] == f"{__name__}.Cart.total"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
        (decimal.Decimal("1.10"), "1.10"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), "2026-01-02T00:00:00+00:00"),
        ({3}, [3]),
        (b"\x00\xff", "AP8="),
        ("a\ud800", "a\\ud800"),
        (1 << 64, str(1 << 64)),
        ((1 << 63) - 1, (1 << 63) - 1),
        (1 << 63, str(1 << 63)),
        (float("-inf"), "-Infinity"),
    ],
)
def test_odd_extras(logged: Logged, value: Any, expected: Any) -> None:
    """Each keeps what it says, and none logs a warning (the fixture makes one an error)."""
    assert logged("x", extra={"odd": value})["attributes"]["odd"] == expected


def test_an_object_is_text(logged: Logged) -> None:
    """Not null."""
    assert logged("x", extra={"odd": object()})["attributes"]["odd"].startswith("<object object")


def test_own_fields_do_not_push_out_the_callers(logged: Logged) -> None:
    """The first attributes that the caller gave stay, all derived ones besides."""
    line = logged("x", extra={f"k{n}": n for n in range(130)}, exc_info=ValueError("v"))
    assert [name for name in line["attributes"] if name.startswith("k")] == [f"k{n}" for n in range(128)]
    assert line["otel.dropped_attributes_count"] == 2
    assert {"code.line.number", "exception.type"} <= set(line["attributes"])


@pytest.mark.parametrize("name", ["event.name", "otel.event.name", "event_name"])
def test_event_name(logged: Logged, name: str) -> None:
    """All its spellings are lifted."""
    line = logged("x", extra={name: "cart.paid", "n": 1})
    assert line["event_name"] == "cart.paid"
    assert name not in line["attributes"]


def test_the_logger_is_the_scope(logged: Logged) -> None:
    """As its instrumentation scope."""
    assert logged("x")["scope"] == {"name": "tests.record"}
