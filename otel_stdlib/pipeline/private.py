"""A record of one's own for the filters of one destination: what they change, no other one sees."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["is_untouched", "private_copy"]

_FLAT = frozenset({str, int, float, bool, type(None), bytes})


def private_copy(record: logging.LogRecord) -> tuple[logging.LogRecord, bool]:
    """A copy of ``record``, and whether all it holds is immutable.

    Its message, arguments and extras are copied too where they are dicts, lists, sets and tuples,
    down to the last one; other objects are shared.
    """
    kind = type(record)
    own: logging.LogRecord = kind.__new__(kind)
    fields = record.__dict__
    memo: dict[int, Any] = {}
    flat = True
    for name, value in fields.items():
        mine = _own(value, memo)
        own.__dict__[name] = mine
        if type(value) not in _FLAT:
            flat = flat and mine is value and _is_flat(value)
    return own, flat


def is_untouched(own: logging.LogRecord, record: logging.LogRecord) -> bool:
    """Whether a copy of a record with nothing mutable in it is still the same as that record."""
    mine, fields = own.__dict__, record.__dict__
    return len(mine) == len(fields) and all(
        name in fields and fields[name] is value for name, value in mine.items()
    )


def _is_flat(value: Any) -> bool:
    return type(value) is tuple and all(type(member) in _FLAT for member in value)


def _own(value: Any, memo: dict[int, Any]) -> Any:
    """``value``, or a copy where something in it can be changed in place."""
    kind = type(value)
    if kind in _FLAT:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind is dict:
        made: Any = {}
        memo[id(value)] = made
        for key, member in list(value.items()):
            made[key] = _own(member, memo)
        return made
    if kind is list:
        made = []
        memo[id(value)] = made
        made.extend([_own(member, memo) for member in list(value)])
        return made
    if kind is set:
        return set(value)
    if kind is tuple:
        members = [_own(member, memo) for member in value]
        if all(mine is given for mine, given in zip(members, value, strict=True)):
            return value
        return tuple(members)
    return value
