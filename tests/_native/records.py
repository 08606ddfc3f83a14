"""Log records of every kind, most of them nearly ordinary, and the comparison of both encoders on them."""

from __future__ import annotations

import logging
import math
import random
import sys
from typing import Any

from otel_stdlib.record.compiled import make_compiled
from otel_stdlib.record.context import SpanContext, attach
from otel_stdlib.record.encoder import LineEncoder

__all__ = ["Encoders", "make_context", "make_record"]

TEXTS = (
    "",
    "a",
    "plain text of some length, longer than sixteen bytes",
    'q"uote\\',
    "tab\t\n\r\b\f\x00\x1f\x7f",
    "ünïcödé ☃ 😀",
    "\ud800 half",
    "\u2028",
    "x" * 15 + '"' + "y" * 16 + "\n",
    "x" * 3_000,
    "é" * 20_000,
)
NUMBERS = (0, 1, -1, 255, 2**53 - 1, 2**53, -(2**53) + 1, -(2**53), 2**63, 10**30, -7)
FLOATS = (
    *(0.0, -0.0, 1.0, 12.5, 0.07, 0.1, 0.29, 1.005, 2.675, 99999999.99, 999999999.99, 1e9, 1e15, 1e16, 1e17),
    *(1e22, 1e-4, 9.99e-5, 1e-5, 1e-7, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf),
)
NAMES = (
    *("order_id", "amount", "user.id", "ké", 'q"', "a b", "k" * 1_024, "k" * 1_025, "\ud801", "zz"),
    *("trace_id", "span_id", "trace_flags", "correlation_id", "event.name", "message", "asctime", ""),
    *("log.record.uid", "thread.id", "otel_stdlib.attributes", "dd.trace_id", "resource", "static"),
)
_TRACES = ("4bf92f3577b34da6a3ce929d0e0e4736", "4BF92F3577B34DA6A3CE929D0E0E4736", "0" * 32, "", "4bf9", None)
_SPANS = ("00f067aa0ba902b7", "0" * 16, "", None, 7)
_FLAGS = ("01", "00", "03", 1, True, 1.0, 0, "x", None)
_EVENTS = ("order.placed", "é", "", "e" * 2_000, None, 5)
_STAMP = len(b'{"timestamp":"2026-11-30T08:56:14.415505Z"')


def _is_time(created: object) -> bool:
    return isinstance(created, float) and created >= 1


class Text(str):  # noqa: SLOT000
    """A text that is not exactly one."""


class Odd:
    """Its text raises, or is no text, or has half a character."""

    def __init__(self, how: int) -> None:
        self.how = how

    def __str__(self) -> str:
        if self.how == 0:
            raise RuntimeError("no")
        return 5 if self.how == 1 else "\ud800"  # type: ignore[return-value]  # noqa: PLE0307


def make_value(chance: random.Random) -> Any:
    """A value of an extra, seldom one that no JSON has."""
    kind = chance.randrange(40)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind == 3:
        return chance.choice(NUMBERS)
    if kind == 4:
        return chance.choice((True, False, None))
    if kind == 5:
        return chance.choice(FLOATS)
    if kind == 6:
        return chance.uniform(-1e6, 1e6)
    if kind == 7:
        return round(chance.uniform(-1e4, 1e4), chance.randrange(4))
    if 10 < kind:
        return chance.choice((chance.randrange(-(2**53), 2**53), chance.choice(TEXTS[:6]), True, 0.25, None))
    if kind == 8:
        return chance.random() * 10.0 ** chance.randint(-12, 22)
    return chance.choice(
        ([1, "a"], {"a": 1}, b"bytes", (1,), Text("t"), Odd(2), chance.randint(-(2**70), 2**70))
    )


def make_record(chance: random.Random) -> logging.LogRecord:
    """A record as ``Logger.makeRecord`` makes it, or spoiled in one way."""
    message, args = chance.choice(
        (
            ("order %s placed", (chance.randrange(100),)),
            ("plain", None),
            ("plain", ()),
            (chance.choice(TEXTS), ()),
            ("%s %d %r", (chance.choice(TEXTS), 7, make_value(chance))),
            ("%(a)s", ({"a": make_value(chance)},)),
            ("bad %d", ("x",)),
            ("too many", (1, 2)),
            (12, None),
            (Text("sub %s"), (1,)),
            ("%s", (Odd(chance.randrange(3)),)),
            ("%s", [1]),
        )
    )
    record = logging.LogRecord(
        chance.choice(("shop", "shop.orders", "ü")),
        chance.choice((10, 20, 30, 35, 0)),
        chance.choice(("/a/b.py", "/a/c.py", "<string>")),
        chance.choice((1, 2, 300)),
        message,  # type: ignore[arg-type]
        args,  # type: ignore[arg-type]
        None,
        chance.choice(("f", "g", "<lambda>")),
    )
    second = chance.choice((1, 1_700_000_000, chance.randrange(1, 9_223_372_040), 253402300798))
    record.created = chance.choice(
        (
            record.created,
            second + 0.9999996,
            second + 0.0000004,
            second + 0.123456,
            second + 0.9999994,
            0.5,
            -3.0,
        )
    )
    for _ in range(chance.choice((0, 1, 2, 3, 3, 3, 8, 40))):
        record.__dict__[chance.choice(NAMES) if chance.random() < 0.07 else f"n{chance.randrange(99)}"] = (
            make_value(chance)
        )
    if chance.random() < 0.2:
        _lift(record.__dict__, chance)
    if chance.random() < 0.3:
        _spoil(record, chance)
    return record


def _lift(fields: dict[str, Any], chance: random.Random) -> None:
    """Some names with a meaning: mostly as the filter writes them, some as equal texts that are other objects."""
    wanted = {
        "trace_id": _TRACES,
        "span_id": _SPANS,
        "trace_flags": _FLAGS,
        "correlation_id": TEXTS[1:7],
        "event.name": _EVENTS,
    }
    is_odd = chance.random() < 0.2
    for name, values in wanted.items():
        if chance.random() < (0.7 if is_odd else 0.95):
            value = chance.choice(values) if is_odd else values[0]
            fields[name] = "".join(list(value)) if isinstance(value, str) and chance.random() < 0.3 else value


def _spoil(record: logging.LogRecord, chance: random.Random) -> None:
    how = chance.randrange(10)
    fields: dict[Any, Any] = record.__dict__
    if how == 0:
        fields["exc_text"] = "Trace"
    elif how == 1:
        try:
            raise ValueError("no")
        except ValueError:
            fields["exc_info"] = sys.exc_info()
    elif how == 2:
        fields["stack_info"] = "Stack"
    elif how == 3:
        del fields[
            chance.choice(("taskName", "process", "threadName")) if "taskName" in fields else "process"
        ]
    elif how == 4:
        fields[chance.choice(("lineno", "levelno", "thread", "process", "created"))] = chance.choice(
            (None, 2**70, -1, "x", 1.5, True)
        )
    elif how == 5:
        fields["taskName"] = chance.choice(("Task-1", 'T"', None, 5))
    elif how == 6:
        fields[5] = "a key that is no text"
    elif how == 7:
        fields[chance.choice(("levelname", "name", "funcName", "pathname", "processName"))] = chance.choice(
            (None, "other", 5, "\ud800")
        )
    elif how == 8:
        fields["levelname"] = fields.pop("levelname")  # another order
    elif how == 9:
        record.__class__ = type("Record", (logging.LogRecord,), {})


def make_context(chance: random.Random) -> None:
    """Make some context the current one."""
    attach(
        chance.choice(
            (
                None,
                SpanContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"),
                SpanContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", correlation_id='é"x'),
            )
        )
    )


class Encoders:
    """Both flavours, with several sets of options."""

    def __init__(self) -> None:
        options: list[dict[str, Any]] = [
            {},
            {"limits": {"attribute_count": 3, "value_length": 50, "body_length": 40}},
            {"static_attributes": {"static": 1}, "severity_text": "short"},
            {"limits": {"total_bytes": 4_096}},
        ]
        self.pairs = [
            (encoder, make_compiled(encoder)) for encoder in (LineEncoder(**each) for each in options)
        ]

    def compare(self, record: logging.LogRecord) -> None:
        """Both say the same of a record."""
        for encoder, compiled in self.pairs:
            expected = encoder.encode(record)
            for _ in range(2):  # by what was kept of its call site the second time
                found = compiled.encode(record)
                if not _is_time(record.__dict__.get("created")):  # then it is that of the call
                    assert (found[0][_STAMP:], found[1]) == (expected[0][_STAMP:], expected[1])  # type: ignore[index]
                else:
                    assert found == expected

    def paths(self) -> tuple[int, int]:
        """How many took each path: in C, and by Python."""
        return sum(each.fast for _, each in self.pairs), sum(each.slow for _, each in self.pairs)
