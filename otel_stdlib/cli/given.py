"""Whole records that come from elsewhere than a spool, as frames for the delivery engine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk

__all__ = ["GivenSource", "Parsed", "parse_record"]

_UID = re.compile(rb"([0-9A-HJKMNP-TV-Z]{26})-([0-9a-f]{14})")
_LEVELS = (0, 5, 10, 20, 30, 40, 50)


class Parsed(NamedTuple):
    """A record as the frame that it was."""

    origin: Origin
    frame: Frame


def parse_record(value: bytes | None, uid: bytes | None, milliseconds: int, apart: str) -> Parsed | None:
    """A whole record of ours taken apart; None for any other.

    Its origin stands apart from the spool, which its own process may still be delivering, under the
    name of whoever sends it.
    The value is cut where the handler put it together; only a few fields are read.
    """
    found = _UID.fullmatch(uid or b"")
    if value is None or uid is None or found is None:
        return None
    payload, cut, resource = value.rpartition(b'"log.record.uid":"%b"},"resource":' % uid)
    try:
        record = orjson.loads(value)
        resource_is_ours = cut and orjson.loads(resource[:-1]) == record["resource"]
        number = int(record["severity_number"])
    except (ValueError, KeyError, TypeError):
        return None
    if not resource_is_ours:
        return None
    level = _LEVELS[min(6, (max(number, 0) + 3) // 4)]
    frame = Frame(int(found[2], 16), milliseconds * 1_000_000, level, number, payload)
    return Parsed(Origin(found[1].decode(), resource[:-1], apart=apart), frame)


class GivenSource:
    """Frames of one origin, as a source of the delivery engine. Whoever gives them keeps the position."""

    live = False

    def __init__(self, origin: Origin, frames: Sequence[Frame]) -> None:
        self.origin = origin
        # One may be given twice.
        self._frames = sorted({frame.lsn: frame for frame in frames}.values())

    def head(self) -> int:
        """Behind the last one."""
        return self._frames[-1].lsn + 1

    def load_cursor(self) -> int:
        """The first one."""
        return self._frames[0].lsn

    def save_cursor(self, lsn: int) -> None:
        """Nothing to keep."""

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Frames from ``start`` on."""
        found: list[Frame] = []
        for frame in self._frames:
            if frame.lsn < start:
                continue
            if found and (len(found) >= max_records or max_bytes <= 0):
                break
            found.append(frame)
            max_bytes -= len(frame.payload)
        return Chunk(found, found[-1].lsn + 1 if found else self.head(), 0)

    def oldest_time_ns(self, start: int) -> int | None:
        """The event time of the first frame from ``start`` on."""
        return next((frame.time_ns for frame in self._frames if frame.lsn >= start), None)

    def close(self) -> None:
        """Nothing is open."""
