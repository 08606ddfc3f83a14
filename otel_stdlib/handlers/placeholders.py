"""What ``{attribute}`` stands for in the name of an index or a topic."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MISSING", "find_value", "legal_part", "shorten"]

#: What stands for an attribute that a record does not have.
MISSING = "unknown"
_MAX_PART = 80


def find_value(name: str, where: Sequence[Mapping[str, Any]]) -> object:
    """The first text or number of that name in ``where``: attributes, resource, record."""
    for mapping in where:
        value = mapping.get(name)
        if isinstance(value, (str, int, float)) and value != "":
            return value
    return MISSING


def legal_part(text: str, illegal: re.Pattern[str], not_first: str = "") -> str:
    """A text as a part of a name that may not have ``illegal``, nor begin with a sign of ``not_first``.

    Two texts never give the same part: where characters had to be replaced or cut off, a hash
    of the text follows, so that tenants never share an index or a topic by accident.
    """
    clean = illegal.sub("_", text)[:_MAX_PART].lstrip(not_first)
    if clean == text:
        return clean or MISSING
    return f"{clean}-{_digest(text)}" if clean else _digest(text)


def shorten(name: str, most: int) -> str:
    """A name of ``most`` characters that ends with a hash of all of it."""
    return f"{name[: most - 9]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
