"""Values that the JSON encoder writes by itself exactly as this package wants them."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["KEY_LENGTH", "PLAIN_OPTIONS", "is_plain", "keys_fit"]

# Whatever orjson would write in its own way raises instead, and takes the careful path; so do
# integers past 53 bits, of which orjson would let unsigned 64-bit ones pass.
PLAIN_OPTIONS = (
    orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_STRICT_INTEGER
)
#: Characters of a key at most. What is no longer than this as JSON has no longer key.
KEY_LENGTH = 1_024
_SIMPLE = frozenset({str, int, bool, type(None)})
#: Deeper or larger values are looked at by the normaliser, which counts and cuts.
_DEPTH = 4
_VALUES = 100


def is_plain(value: Any) -> bool:
    """Whether a value is made of text, finite numbers, lists and text-keyed dicts only.

    False for what is large or deep: it may be plain, and is not known to be. A value that holds
    itself is deep. The lengths of texts are the caller's to check.
    """
    return _values_left(value, _DEPTH, _VALUES) >= 0


def _values_left(value: Any, depth: int, left: int) -> int:
    kind = type(value)
    if kind is float:
        return left - 1 if value - value == 0.0 else -1
    if depth == 0 or (kind is not dict and kind is not list and kind is not tuple):
        return -1
    if len(value) > left:
        return -1
    left -= len(value)
    if kind is dict:
        for key in value:
            if type(key) is not str or not key:
                return -1
        value = value.values()
    for member in value:
        if type(member) not in _SIMPLE:
            left = _values_left(member, depth - 1, left)
            if left < 0:
                return -1
    return left


def keys_fit(value: Any) -> bool:
    """Whether no key of a plain value is longer than ``KEY_LENGTH``."""
    if type(value) is dict:
        return all(len(key) <= KEY_LENGTH for key in value) and all(map(keys_fit, value.values()))
    if type(value) is list or type(value) is tuple:
        return all(map(keys_fit, value))
    return True
