"""Records that a filter makes of those that it has suppressed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["Summary"]


class Summary(logging.LogRecord):
    """A record of a filter's own. Filters of this package that suppress let it pass."""

    # Not among a record's fields, which become attributes.
    __slots__ = ("only_for",)

    #: The handler behind a queue handler that gets it; None: every one.
    only_for: Any

    @classmethod
    def of(cls, fields: Mapping[str, Any], only_for: Any = None) -> Summary:
        """A record with these fields, in their order."""
        made = cls.__new__(cls)
        made.__dict__.update(fields)
        made.only_for = only_for
        return made
