"""What the filters that drop records share: a rule, a severity up to which they act, and counts.

A filter decides (``decide``) and a handler of this package that asks it counts what it loses, in its own
``health()``. On a logger or on a handler of another package the filter itself counts, see ``filter``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.levels import level_number
from otel_stdlib.facts.suppressed import elsewhere_counter

__all__ = ["Suppressing", "check_level_option", "check_text"]

_REPLACES = sys.version_info >= (3, 12)


class Suppressing(logging.Filter):
    """A filter that drops records by a rule, and loses none unseen.

    Args:
        rule: the name under which dropped records are counted.
        up_to: the highest level that it may drop.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    #: Tells handlers of this package to ask ``decide`` and to count for themselves.
    decides: ClassVar[bool] = True
    #: Its place among the filters of this package on one handler, however they are listed.
    order: ClassVar[int] = 0

    #: Whether a record passes, or the record that takes its place. Any thread; never raises, never waits.
    decide: Callable[[logging.LogRecord], bool | logging.LogRecord]

    def __init__(self, rule: str, up_to: int | str) -> None:
        super().__init__()
        self.rule = check_text("rule", rule)
        self.up_to = check_level_option("up_to", up_to)
        self._count: Callable[[logging.LogRecord], None] | None = None

    def filter(self, record: logging.LogRecord) -> Any:
        """Decide, and count a record that is dropped. Never raises."""
        kept = self.decide(record)
        if kept is True:
            return True
        if not kept:
            if self._count is None:
                self._count = elsewhere_counter(self.rule)
            self._count(record)
            return False
        if not _REPLACES and isinstance(kept, logging.LogRecord):
            # Before Python 3.12 another record would be taken for "yes".
            record.__dict__.update(kept.__dict__)
            return True
        return kept

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.rule}>"


def check_text(name: str, value: object) -> str:
    """Return text that is not empty.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"option {name!r} must be a text, not {value!r}", option=name)
    return value


def check_level_option(name: str, value: object) -> int:
    """Return the number of a level.

    Raises:
        ConfigError: there is no such level; the message has the option's name.
    """
    try:
        return level_number(value)
    except ConfigError as error:
        raise ConfigError(f"option {name!r}: {error}", option=name) from None
