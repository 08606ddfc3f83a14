"""The normaliser: any value as a bounded JSON value."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import fractions
import json
import math
import pathlib
import threading
import types
import uuid
from typing import Any, NamedTuple

import orjson
import pytest

from otel_stdlib.record.limits import Limits
from otel_stdlib.record.plain import is_plain
from otel_stdlib.record.values import Normaliser, safe_text


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: str


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


class Code(enum.IntEnum):
    """An enumeration of numbers."""

    OK = 200


@dataclasses.dataclass
class Login:
    """Holds a secret that its repr hides."""

    user: str
    password: str = dataclasses.field(repr=False)


class Text(str):
    """A subclass whose own methods lie."""

    __slots__ = ()

    def __str__(self) -> str:
        return "lie"


class Number(int):
    """The same for numbers."""

    def __repr__(self) -> str:
        return "lie"


def value(anything: Any, **limits: int) -> Any:
    """What a value becomes."""
    return orjson.loads(orjson.dumps(Normaliser(Limits(**limits)).value(anything)))


@pytest.mark.parametrize(
    ("anything", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (math.nan, "NaN"),
        (Colour.RED, "red"),
        (Code.OK, 200),
        (Text("truth"), "truth"),
        (Number(7), 7),
        (Pair(1, "b"), {"left": 1, "right": "b"}),
        (Login("ann", "hunter2"), {"user": "ann"}),
        (bytearray(b"ab"), "YWI="),
        (memoryview(b"ab"), "YWI="),
        (frozenset({1}), [1]),
        (collections.deque([1, 2]), [1, 2]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.UserDict({"a": 1}), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({"a": 1}.keys(), ["a"]),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (fractions.Fraction(1, 3), "1/3"),
        (1 + 2j, "(1+2j)"),
        (KeyError("k"), "'k'"),
        (-(1 << 63), -(1 << 63)),
        ({1: "a", "1": "b", None: "c", (1, 2): "d", Colour.RED: "e", "": "f"},
         {"1": "a", "1#2": "b", "None": "c", "(1, 2)": "d", "red": "e", "(empty)": "f"}),
    ],
)  # fmt: skip
def test_what_values_become(anything: Any, expected: Any) -> None:
    """Each kind of value has its JSON."""
    assert value(anything) == expected


def test_a_huge_integer_is_described() -> None:
    """CPython refuses to write more than 4300 digits."""
    assert value(10**5000) == "<int of 16610 bits>"


def test_generators_are_not_consumed() -> None:
    """A value that can be read once is not read."""
    numbers = (n for n in range(3))
    assert value(numbers).startswith("<generator object")
    assert list(numbers) == [0, 1, 2]


def test_cycles_end() -> None:
    """A container inside itself is named; the same one twice side by side is not a cycle."""
    loop: list[Any] = [1]
    loop.append(loop)
    assert value(loop) == [1, "(circular)"]
    shared = [1]
    assert value([shared, shared]) == [[1], [1]]


class TestLimits:
    def test_each_counts_what_it_cuts(self) -> None:
        """Depth, members and lengths are cut and counted."""
        normaliser = Normaliser(Limits(depth=2, items=3, value_length=5))
        found = normaliser.value({"deep": [[1]], "many": list(range(9)), "long": "abcdefgh"})
        assert found == {"deep": ["<list>"], "many": [0, 1, 2], "long": "abcd…"}
        assert normaliser.truncated == 3

    def test_the_budget_bounds_everything(self) -> None:
        """However values are nested, the text stays near the budget."""
        wide: Any = "x" * 1000
        for _ in range(8):
            wide = [wide] * 50
        normaliser = Normaliser(Limits(), budget=10_000)
        assert len(json.dumps(normaliser.value(wide))) < 50_000
        assert normaliser.truncated

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
    def test_long_bytes(self, size: int) -> None:
        """Cut bytes are whole groups of base 64."""
        text = value(b"x" * 1000, value_length=size)
        assert len(text) % 4 == 0
        assert len(text) <= max(4, size)

    def test_a_dict_that_another_thread_changes(self) -> None:
        """A value that changes while it is read gives some state of it."""
        shared = {str(n): n for n in range(500)}
        stop = threading.Event()

        def change() -> None:
            number = 0
            while not stop.is_set():
                shared[f"new{number % 50}"] = number
                shared.pop(f"new{(number + 25) % 50}", None)
                number += 1

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(200):
                assert len(value(shared)) >= 500
        finally:
            stop.set()
            thread.join()


class Liar:
    """Says that it is text."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return str

    def __repr__(self) -> str:
        return "liar"


class Raises:
    """Raises when asked what it is."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RecursionError


class NoText:
    """Answers with something that is no text."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


class EndlessMapping(collections.abc.Mapping[str, int]):
    """Never ends."""

    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Any:
        number = 0
        while True:
            yield str(number)
            number += 1

    def __len__(self) -> int:
        return 1 << 60


class TestHostile:
    def test_a_liar(self) -> None:
        """``__class__`` is not believed."""
        assert value(Liar()) == "liar"

    def test_what_raises(self) -> None:
        """It is named, with what it raised."""
        assert "RecursionError" in value(Raises())
        assert "TypeError" in value(NoText())
        assert safe_text(Raises()).startswith("<tests.record.test_values.Raises without text")

    def test_what_does_not_end(self) -> None:
        """It is cut like anything else."""
        assert len(value(EndlessMapping(), items=10)) == 10

    def test_json_default_that_misbehaves(self) -> None:
        """It may raise, or answer with the value itself, or with ever new ones."""

        def raises(_: Any) -> Any:
            raise RuntimeError("no")

        for default in (raises, lambda v: v, lambda v: object(), lambda v: [object()]):
            json.dumps(Normaliser(Limits(), default).value({"a": object()}))


class TestPlain:
    @pytest.mark.parametrize("anything", [1.5, [], {}, {"a": [1, {"b": None}]}, (1, "a"), [[[["a"]]]]])
    def test_plain(self, anything: Any) -> None:
        """Text, numbers, lists and text-keyed dicts are."""
        assert is_plain(anything)

    @pytest.mark.parametrize(
        "anything",
        [
            math.nan,
            [math.inf],
            {1: 2},
            {"": 1},
            {"a": {2}},
            [[[[["a"]]]]],
            list(range(101)),
            [[0] * 60, [0] * 60],
            Pair(1, "b"),
            Text("a"),
            Number(1),
            [Number(1)],
            collections.OrderedDict(a=1),
            object(),
        ],
    )
    def test_not_known_to_be(self, anything: Any) -> None:
        """Anything else, what is large, and what is deep are looked at closely."""
        assert not is_plain(anything)

    def test_a_wide_cycle_ends(self) -> None:
        """A list that holds itself many times over takes no time."""
        loop: list[Any] = []
        loop.extend([loop] * 90)
        assert not is_plain(loop)
