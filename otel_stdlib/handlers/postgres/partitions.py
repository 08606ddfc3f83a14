"""Partitions by time: which to make ahead, which are past their retention. Pure; all times UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from otel_stdlib.handlers.postgres.names import TableName, literal, shorten

__all__ = [
    "Partition",
    "create_partition",
    "cutoff_of",
    "drop_partition",
    "expired",
    "is_in_reach",
    "parse_bound",
    "purge_default",
    "time_of",
    "wanted",
]

#: Days and months that are made ahead; a process that stays down longer finds its rows in DEFAULT.
_AHEAD = {"daily": 3, "monthly": 1}
#: Nobody makes partitions for times further away: those come from clocks that are wrong.
_PAST, _FUTURE = timedelta(days=366), timedelta(days=31)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BOUND = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")
_OURS = re.compile(r"_p[0-9]{6}(?:[0-9]{2})?$")


class Partition(NamedTuple):
    """The rows with ``start <= timestamp < end``."""

    name: str
    start: datetime
    end: datetime


def time_of(time_ns: int) -> datetime:
    """A frame's time, in nanoseconds since 1970, as UTC."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def _first(kind: str, time: datetime) -> datetime:
    day = time.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if kind == "daily" else day.replace(day=1)


def _next(kind: str, start: datetime) -> datetime:
    if kind == "daily":
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


def wanted(table: TableName, kind: str, now: datetime, existing: Iterable[Partition]) -> list[Partition]:
    """The partitions that are missing for yesterday, today and the days ahead, or months likewise.

    What overlaps an existing partition is left out, so a table whose partitions somebody else
    makes, or made in another size, stays as it is.
    """
    taken = list(existing)
    start = _first(kind, _first(kind, now) - timedelta(days=1))
    made = []
    for _ in range(_AHEAD[kind] + 2):
        end = _next(kind, start)
        if not any(start < other.end and other.start < end for other in taken):
            stamp = start.strftime("_p%Y%m%d" if kind == "daily" else "_p%Y%m")
            made.append(Partition(shorten(table.table, stamp), start, end))
        start = end
    return made


def create_partition(table: TableName, default: str | None, part: Partition) -> list[str]:
    """Make a partition beside the table, move into it what DEFAULT holds of its time, and attach it.

    Attaching locks less than making it in place, and fails while DEFAULT holds rows of its time:
    those come from clocks that run ahead, and from times when nobody made partitions.

    Args:
        table: the partitioned table.
        default: the quoted name of its DEFAULT partition; None: it has none.
        part: the partition.
    """
    name = TableName(table.schema, part.name).sql
    start, end = (literal(moment.isoformat()) for moment in (part.start, part.end))
    statements = [f"CREATE TABLE {name} (LIKE {table.sql} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"]
    if default is not None:
        statements.append(
            f'WITH moved AS (DELETE FROM {default} WHERE "timestamp" >= {start} AND "timestamp" < {end} RETURNING *)'
            f" INSERT INTO {name} SELECT * FROM moved"
        )
    statements.append(f"ALTER TABLE {table.sql} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})")
    return statements


def parse_bound(name: str, bound: str) -> Partition | None:
    """A partition from ``pg_get_expr(relpartbound)`` in UTC and ISO style; None: no plain range of times."""
    found = _BOUND.fullmatch(bound)
    if found is None:
        return None
    try:
        start, end = (_moment(text) for text in found.groups())
    except ValueError:
        return None
    return Partition(name, start, end)


def _moment(text: str) -> datetime:
    # ``+00`` is no offset for ``fromisoformat`` before Python 3.11.
    return datetime.fromisoformat(re.sub(r"([+-][0-9]{2})$", r"\1:00", text)).astimezone(timezone.utc)


def expired(existing: Sequence[Partition], now: datetime, days: int) -> list[Partition]:
    """The partitions of our making that lie wholly more than ``days`` days before today."""
    cutoff = cutoff_of(now, days)
    return [part for part in existing if _OURS.search(part.name) and part.end <= cutoff]


def cutoff_of(now: datetime, days: int) -> datetime:
    """The beginning of the day before which everything is past its retention."""
    return _first("daily", now) - timedelta(days=days)


def is_in_reach(moment: datetime, now: datetime) -> bool:
    """Whether a partition for ``moment`` may still be made by somebody."""
    return now - _PAST <= moment <= now + _FUTURE


def drop_partition(table: TableName, part: Partition) -> str:
    """Drop one partition with its rows."""
    return f"DROP TABLE {TableName(table.schema, part.name).sql}"


def purge_default(default: str, now: datetime, days: int) -> str:
    """Delete what DEFAULT holds past the retention: a few rows, of clocks that run behind."""
    return f'DELETE FROM {default} WHERE "timestamp" < {literal(cutoff_of(now, days).isoformat())}'
