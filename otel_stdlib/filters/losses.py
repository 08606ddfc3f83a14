"""What limits have suppressed, by key, and the records that report it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from otel_stdlib.filters.reporting import Origin

__all__ = ["Lost", "lost_records", "size_of", "stamp"]

#: Keys of one report that have a record of their own.
_MOST_REPORTED = 100


class Lost:
    """What one key has lost since the last report."""

    __slots__ = ("attributes", "bytes", "count", "last", "level", "origin", "text")

    def __init__(self, text: str, origin: Origin, attributes: Mapping[str, Any]) -> None:
        self.text = text
        self.origin = origin
        #: Under their own names: the parts of the key that are attributes.
        self.attributes = attributes
        self.count = self.bytes = 0
        self.last = origin.created
        #: The highest of what was lost.
        self.level = origin.levelno

    @classmethod
    def none(cls, text: str, record: logging.LogRecord, attributes: Mapping[str, Any] | None = None) -> Lost:
        """Nothing yet, from the place of a record."""
        return cls(text, Origin.of(record), attributes or {})

    def add(self, record: logging.LogRecord, cost: int) -> None:
        """One more."""
        self.count += 1
        self.bytes += cost
        self.last = record.created
        if record.levelno > self.origin.levelno:
            self.level = record.levelno
            self.origin = self.origin._replace(levelno=record.levelno)


def lost_records(rule: str, unit: str, lost: Sequence[Lost]) -> list[dict[str, Any]]:
    """A record for each of them, the largest first; one for all past the first hundred."""
    ordered = sorted(lost, key=lambda each: -each.count)
    others = ordered[_MOST_REPORTED:]
    if others:
        total = Lost(f"{len(others)} other keys", others[0].origin, {})
        total.count = sum(each.count for each in others)
        total.bytes = sum(each.bytes for each in others)
        total.last = max(each.last for each in others)
        ordered = [*ordered[:_MOST_REPORTED], total]
    return [_record(rule, unit, each) for each in ordered]


def _record(rule: str, unit: str, lost: Lost) -> dict[str, Any]:
    attributes = {
        **lost.attributes,
        "event.name": "otel_stdlib.suppressed",
        "otel_stdlib.suppressed.rule": rule,
        "otel_stdlib.suppressed.key": lost.text,
        "otel_stdlib.suppressed.count": lost.count,
        "otel_stdlib.suppressed.from": stamp(lost.origin.created),
        "otel_stdlib.suppressed.to": stamp(lost.last),
    }
    if unit == "bytes":
        attributes["otel_stdlib.suppressed.bytes"] = lost.bytes
    text = f": {lost.text}" if lost.text else ""
    return lost.origin.fields("%d records suppressed by %s%s", (lost.count, rule, text), attributes)


def stamp(seconds: float) -> str:
    """A time as records have it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def size_of(record: logging.LogRecord) -> int:
    """The bytes of a record's message."""
    return len(record.getMessage().encode("utf-8", "backslashreplace"))
