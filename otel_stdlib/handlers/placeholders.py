"""What ``{attribute}`` stands for in the name of an index or a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MISSING", "find_value"]

#: What stands for an attribute that a record does not have.
MISSING = "unknown"


def find_value(name: str, where: Sequence[Mapping[str, Any]]) -> object:
    """The first text or number of that name in ``where``: attributes, resource, record."""
    for mapping in where:
        value = mapping.get(name)
        if isinstance(value, (str, int, float)) and value != "":
            return value
    return MISSING
