"""OpenTelemetry severity numbers for the standard library's levels.

Source: Log Data Model, "Mapping of SeverityNumber": a source's level takes the smallest
number of its range, and levels between two known ones take the next free number of the
range below them.
"""

from __future__ import annotations

import logging

__all__ = ["level_of", "severity_number", "severity_range_name"]

# (level, first number of its range). NOTICE (25) is syslog's Notice: INFO2.
_ANCHORS = ((50, 21), (40, 17), (30, 13), (25, 10), (20, 9), (10, 5), (5, 1))
_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def level_of(record: logging.LogRecord) -> int:
    """The level of a record, whatever stands in its place: by its name where it is no number, else 0."""
    level: object = record.levelno
    if isinstance(level, int):
        return level
    try:
        named: object = logging.getLevelName(record.levelname)
    except TypeError:  # a name that cannot be looked up
        return 0
    return named if isinstance(named, int) else 0


def severity_number(level: int) -> int:
    """The OpenTelemetry number, 1 to 24, of a ``logging`` level; 0 for NOTSET and below."""
    if level <= 0:
        return 0
    for anchor, number in _ANCHORS:
        if level >= anchor:
            # Inside a range the number counts up by thirds of the distance, never past its end.
            last = number - (number - 1) % 4 + 3
            step = 0 if level == anchor else 1 + (level - anchor - 1) * 3 // 10
            return min(number + step, last)
    return 1


def severity_range_name(number: int) -> str:
    """The short name of a number's range, for example ``"WARN"`` for 13 to 16; "" for 0."""
    return _NAMES[(min(number, 24) - 1) // 4] if number > 0 else ""
