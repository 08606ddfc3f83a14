"""The table of ``docs/outages.md`` is the one that the tests are made of."""

from __future__ import annotations

from pathlib import Path

from tests.proof.answers import LETTER, ROWS, STORED, TAKEN, WAITS, table

PAGE = Path(__file__).parents[2] / "docs" / "outages.md"


def test_the_page_has_the_table() -> None:
    """Print it anew with ``python -m tests.proof.answers``."""
    assert table() in PAGE.read_text(encoding="utf-8")


def test_rows_are_rows() -> None:
    """Each has a key of its own, one of the known ends, and something to do."""
    assert len({(row.destination, row.key) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.happens in (STORED, WAITS, LETTER, TAKEN)
        assert row.todo
        assert "|" not in f"{row.situation}{row.reported}{row.todo}"
