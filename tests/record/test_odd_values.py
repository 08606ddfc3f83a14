"""Any value at all becomes bounded, valid JSON."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import logging
from typing import Any

import pytest

from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import UID, Logged, close


class Broken:
    """Raises whatever it is asked."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise RuntimeError("no")


def cyclic() -> dict[str, Any]:
    """A mapping that holds itself."""
    value: dict[str, Any] = {"a": 1}
    value["self"] = [value]
    return value


def deep() -> Any:
    """A list a thousand lists deep."""
    value: Any = "bottom"
    for _ in range(1000):
        value = [value]
    return value


ODD = {
    "nested": {"a": {"b": (1, 2)}},
    "decimal": decimal.Decimal("1.10"),
    "datetime": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc),
    "set": {1, 2},
    "bytes": b"\xff\x00",
    "object": object(),
    "nan": float("nan"),
    "inf": [float("inf"), -float("inf")],
    "huge": 1 << 80,
    "surrogate": "a\ud800b",
    "nul": "a\0b",
    "tuple_key": {(1, 2): 3, None: 4, 5: 6},
    "broken": Broken(),
    "broken_key": {Broken(): 1},
    "cyclic": cyclic(),
    "deep": deep(),
    "long": "x" * 10_000_000,
    "many": list(range(100_000)),
    "type": int,
    "function": print,
    "exception": ValueError("v"),
}


class TestOddValues:
    @pytest.mark.parametrize("name", ODD)
    def test_as_extra(self, logged: Logged, name: str) -> None:
        """Any value encodes, without a warning, in bounds, and its neighbours are untouched."""
        line = logged("x", extra={"before": 1, "odd": ODD[name], "after": 2})
        assert (line["attributes"]["before"], line["attributes"]["after"]) == (1, 2)
        assert "odd" in line["attributes"]
        assert len(json.dumps(line)) < 1_500_000

    @pytest.mark.parametrize("name", ODD)
    def test_as_message(self, logged: Logged, name: str) -> None:
        """As message itself, and inside a structured one."""
        assert "body" in logged(ODD[name])
        assert "odd" in logged({"odd": ODD[name]})["body"]

    @pytest.mark.parametrize("name", ODD)
    def test_as_argument(self, logged: Logged, name: str) -> None:
        """As an argument of the message."""
        assert "body" in logged("value: %s", ODD[name])

    def test_spelled_out(self, logged: Logged) -> None:
        """What some of them become."""
        found = logged("x", extra={k: ODD[k] for k in ("nan", "inf", "bytes", "huge", "nested")})[
            "attributes"
        ]
        assert found["nan"] == "NaN"
        assert found["inf"] == ["Infinity", "-Infinity"]
        assert found["bytes"] == "/wA="
        assert found["huge"] == str(1 << 80)
        assert found["nested"] == {"a": {"b": [1, 2]}}

    def test_wrong_arguments(self, logged: Logged) -> None:
        """A message whose arguments do not fit is kept as it is, and marked."""
        line = logged("%d of %d", "a")
        assert "%d of %d" in line["body"]
        assert any("format" in key for key in line["attributes"])

    def test_too_many_attributes(self, logged: Logged) -> None:
        """Beyond the limit attributes are dropped and counted, the record's own stay."""
        line = logged("x", extra={f"k{n}": n for n in range(500)})
        assert line["otel.dropped_attributes_count"] >= 500 - 128
        assert "code.line.number" in line["attributes"]

    def test_message_and_asctime_on_the_record(self) -> None:
        """What formatters put on a record does not become an attribute; odd keys do no harm."""
        record = logging.makeLogRecord(
            {"msg": "x", "message": "y", "asctime": "z", "": 1, "a b": 2, "log.record.uid": "u"}
        )
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        line = close(encoded[0])
        assert line["body"] == "x"
        assert not {"message", "asctime"} & set(line["attributes"])
        assert line["attributes"]["a b"] == 2
        assert line["attributes"]["log.record.uid"] == UID.decode()

    @pytest.mark.parametrize(
        "key", ["msg", "args", "levelno", "levelname", "name", "thread", "threadName", "pathname", "exc_info"]
    )
    def test_a_record_with_spoiled_fields(self, key: str) -> None:
        """A record whose own fields were spoiled or removed is still a line."""
        for value in (None, Broken(), object(), [1], "x" * 100, "\ud800"):
            record = logging.makeLogRecord({"msg": "x", key: value})
            encoded = LineEncoder().encode(record)
            assert encoded is not None
            close(encoded[0])
        record = logging.makeLogRecord({"msg": "x", "extra": 1})
        del record.__dict__[key]
        encoded = LineEncoder().encode(record)
        assert encoded is not None
        close(encoded[0])

    def test_keyboard_interrupt_passes(self) -> None:
        """Only exceptions are caught."""

        class Stops:
            def __str__(self) -> str:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            LineEncoder().encode(logging.makeLogRecord({"msg": "%s", "args": (Stops(),)}))


@pytest.mark.parametrize("length", [1_025, 2_000, 40_000])
@pytest.mark.parametrize(
    "place",
    [
        lambda key: {"msg": {key: 1}},
        lambda key: {"msg": {"deep": [{key: 1}]}},
        lambda key: {"msg": "hello", key: 1},
        lambda key: {"msg": "hello", "deep": {"of": [{key: 1}]}},
    ],
    ids=["body", "deep in the body", "attribute", "deep in an attribute"],
)
def test_long_names_are_cut_and_counted(place: Any, length: int) -> None:
    """To 1,024 characters, in short records too."""
    fields = place("k" * length)
    record = logging.LogRecord("t", logging.INFO, __file__, 7, fields.pop("msg"), (), None)
    record.__dict__.update(fields)
    encoded = LineEncoder().encode(record)
    assert encoded is not None
    line = close(encoded[0])
    text = json.dumps([line["body"], line["attributes"]], ensure_ascii=False)
    assert f'"{"k" * 1_023}…"' in text
    assert "k" * 1_024 not in text
    assert line["attributes"]["otel_stdlib.truncated_values"] >= 1
