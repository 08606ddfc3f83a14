"""The table of ``docs/outages.md`` is the one that the tests are made of, and each row has its test."""

from __future__ import annotations

import importlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.proof.answers import LETTER, PAGE, ROWS, STORED, TAKEN, WAITS, page_with

TESTS = Path(__file__).parents[1]


def test_the_page_has_the_table() -> None:
    """Put it there with ``python -m tests.proof.answers --write``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(page) == page


def test_rows_are_rows() -> None:
    """Each has a key of its own, one of the known ends, and something to do."""
    assert len({(row.destination, row.key) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.happens in (STORED, WAITS, LETTER, TAKEN)
        assert row.todo
        assert "|" not in f"{row.situation}{row.reported}{row.todo}"


def keys_of(function: Any) -> set[str] | None:
    """The values of ``key`` of a parametrised test; None: it has none."""
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize" and mark.args[0] == "key":
            return set(mark.args[1])
    return None


@pytest.mark.parametrize("module", sorted({row.test.partition(":")[0] for row in ROWS}))
def test_rows_and_cases_are_the_same(module: str) -> None:
    """Each row names a test that exists and has its key; each key of a test in these modules has its row."""
    named = defaultdict(set)
    for row in ROWS:
        where, _, function = row.test.partition(":")
        if where == module:
            named[function].add(row.key)
    content = vars(importlib.import_module(module))
    cases = {
        name: keys for name, each in content.items() if name.startswith("test_") and (keys := keys_of(each))
    }
    for name, rows in named.items():
        if name not in cases:
            assert callable(content[name])
            assert len(rows) == 1, f"{name} is one case: {rows}"
    assert cases == {name: keys for name, keys in named.items() if name in cases}
