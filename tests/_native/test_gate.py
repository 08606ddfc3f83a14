"""The compiled look of redaction hands on what it does not know to be clean."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_stdlib._native import core, missing
from otel_stdlib.record.lift import BASE_KEYS
from otel_stdlib.redaction import Redaction
from otel_stdlib.redaction.rules import OPT_IN_RULES
from tests.redaction.hostile import MASKED_TEXTS, SECRETS

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")

GATE = Redaction().gate


def look(record: logging.LogRecord, *, shortest: int = 0, most: int = 1_000) -> str:
    """Which way a record takes when message and keys are known to be clean."""
    gate = core.Gate(
        lambda _: "clean",
        lambda _: "doubtful",
        {"%s %s": True, "known %s": True, "other %s": False},
        {"plain": True, "bad": False},
        {"a": True, "b": True, "bad": False},
        logging.LogRecord,
        BASE_KEYS,
        GATE.needles,
        most,
        shortest,
    )
    found: str = gate.encode(record)
    return found


def made(msg: Any, *args: Any, **extras: Any) -> logging.LogRecord:
    """A record."""
    record = logging.LogRecord("shop", 20, __file__, 7, msg, args, None)
    record.__dict__.update(extras)
    return record


class Text(str):
    """Not exactly a text."""

    __slots__ = ()


@pytest.mark.parametrize(
    "record",
    [
        made("plain"),
        made("plain", a="x", b=None),
        made("known %s", 7),
        made("%s %s", "joe", 1.5, a=True, b=1 << 70),
        made("known %s", "é ü ☃ 😀"),
    ],
)
def test_clean(record: logging.LogRecord) -> None:
    """Known messages and keys, plain values without a needle."""
    assert "clean" == look(record)


@pytest.mark.parametrize(
    "record",
    [
        made("bad"),
        made("unknown"),
        made("other %s", 7),
        made("plain", 7),
        made("known %s"),
        made("plain", bad=1),
        made("plain", unknown=1),
        made("plain", a=[1]),
        made("plain", a=Text("x")),
        made(Text("plain")),
        made({"a": 1}),
        made("known %s", {"a": 1}),
        made("known %s", "a=b"),
        made("plain", a="☃ k: v"),
        made("plain", a="x" * 2_000),
        made("plain", exc_info=(1, 2, 3)),
        made("plain", stack_info="x"),
        made("plain", exc_text="x"),
        logging.makeLogRecord({}),
        type("Mine", (logging.LogRecord,), {})("a", 20, "b", 1, "plain", (), None),
    ],
)
def test_doubtful(record: logging.LogRecord) -> None:
    """Anything else, or where the fields are not those of an ordinary record."""
    assert "doubtful" == look(record)


@pytest.mark.parametrize("text", [*SECRETS.values(), *(text for text, _, _ in MASKED_TEXTS)])
@pytest.mark.parametrize("before", ["", "☃", "x" * 100])
def test_every_secret_has_a_needle(text: str, before: str) -> None:
    """In texts of every width, wherever it is."""
    for each in (text, text.replace("Bearer", "bEARER")):
        assert "doubtful" == look(made("known %s", f"{before} {each}"))
        assert "doubtful" == look(made("plain", a=f"{each} {before}"))


def test_integers_that_may_be_cards() -> None:
    """From so many digits on."""
    assert "clean" == look(made("known %s", 10**11 - 1), shortest=10**11)
    for number in (10**11, -(10**11), 4111111111111111, 1 << 70):
        assert "doubtful" == look(made("known %s", number), shortest=10**11)


def test_needles() -> None:
    """Options whose rules have no text in common with all that they match have none."""
    assert GATE.needles is not None
    assert Redaction(
        values=["default", "email"], custom=[{"name": "x", "pattern": "t_[0-9]", "hint": "t_"}]
    ).gate.needles
    for name in set(OPT_IN_RULES) - {"email"}:
        assert Redaction(values=[name]).gate.needles is None
    assert Redaction(custom=[{"name": "x", "pattern": "t_[0-9]"}]).gate.needles is None


@pytest.mark.parametrize("needles", [(b"",), (b"x" * 16,), ("x",), (b"\xff",), (b"x",) * 129])
def test_wrong_needles(needles: tuple[Any, ...]) -> None:
    """They are refused."""
    with pytest.raises(ValueError, match="needle"):
        core.Gate(None, None, {}, {}, {}, logging.LogRecord, BASE_KEYS, needles, 1, 0)
