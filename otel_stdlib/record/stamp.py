"""Timestamps: RFC 3339 in UTC with microseconds, and the same instant in nanoseconds."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

__all__ = ["MICROS", "MILLIS", "second_prefix", "split_time", "timestamp_text"]

#: ``000`` to ``999``.
MILLIS = tuple(b"%03d" % number for number in range(1000))
#: The same with the end of the timestamp's member.
MICROS = tuple(b'%03dZ",' % number for number in range(1000))

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def second_prefix(second: int) -> bytes:
    """``{"timestamp":"2026-08-22T10:11:12.`` for a second after 1970.

    Raises:
        ValueError: the second is not between 1970 and 9999.
    """
    if second <= 0:
        raise ValueError("a time before 1970")
    year, month, day, hour, minute, sec, *_ = time.gmtime(second)
    if year > 9999:
        raise ValueError("a year after 9999")
    return b'{"timestamp":"%04d-%02d-%02dT%02d:%02d:%02d.' % (year, month, day, hour, minute, sec)


def split_time(created: object) -> tuple[str, int]:
    """The text and the nanoseconds of a record's ``created``; of now when it is no usable time."""
    try:
        moment = float(created)  # type: ignore[arg-type]
        if moment >= 1.0:  # as LineEncoder.encode rounds, so that records of one moment have the same time
            second = int(moment + 0.000_000_5)
            micros = second * 1_000_000 + int(max(0.0, moment - second) * 1e6 + 0.5)
        else:
            micros = round(moment * 1e6)
        return timestamp_text(micros), micros * 1000
    except (TypeError, ValueError, OverflowError):
        micros = time.time_ns() // 1000
        return timestamp_text(micros), micros * 1000


def timestamp_text(micros: int) -> str:
    """``2026-08-22T10:11:12.000001Z`` for microseconds since 1970."""
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
