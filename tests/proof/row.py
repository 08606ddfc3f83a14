"""One situation of a target: what becomes of records in it, and the test that brings it about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["LETTER", "STORED", "TAKEN", "WAITS", "Row", "rows"]

#: What a row may say. ``docs/outages.md`` has what each of them means.
STORED, WAITS, LETTER, TAKEN = "stored", "waits", "dead letter", "taken, not kept"


class Row(NamedTuple):
    """One situation."""

    destination: str
    #: The test, as ``module:function``. One that is parametrised by ``key`` has this row's key as a value.
    test: str
    key: str
    situation: str
    #: ``stored``, ``waits``, ``dead letter`` or ``taken, not kept``.
    happens: str
    #: Words that ``last_error``, the letter or stderr has. "": nothing is reported.
    reported: str
    #: What you have to do.
    todo: str


#: Key, situation, what happens, what is reported, what you have to do.
_Cells = tuple[str, str, str, str, str]


def rows(destination: str, room: str, by_test: Mapping[str, Sequence[_Cells]]) -> tuple[Row, ...]:
    """The rows of one destination.

    Args:
        destination: its name in the table.
        room: the folder of its tests under ``tests.handlers``.
        by_test: rows by their test, ``file::function`` in that folder.
    """
    found = []
    for test, each in by_test.items():
        file, _, function = test.partition("::")
        name = f"tests.handlers.{room}.{file.removesuffix('.py')}:{function}"
        found += [Row(destination, name, *cells) for cells in each]
    return tuple(found)
