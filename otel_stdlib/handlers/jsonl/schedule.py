"""When a file is rotated by time: the rules of ``logging.handlers.TimedRotatingFileHandler``, as a function."""

from __future__ import annotations

import calendar
import time
import zlib
from dataclasses import dataclass

from otel_stdlib.facts.errors import ConfigError

__all__ = ["Schedule"]

_SECONDS = {"S": 1, "M": 60, "H": 3600, "D": 86400, "MIDNIGHT": 86400}
_DAY = 86400


@dataclass(frozen=True)
class Schedule:
    """A rotation every ``interval`` units.

    Raises:
        ConfigError: ``when`` is none of the known words.
    """

    when: str
    interval: int = 1
    utc: bool = False

    def __post_init__(self) -> None:
        word = str(self.when).upper()
        if word not in _SECONDS and not (len(word) == 2 and word[0] == "W" and word[1] in "0123456"):
            raise ConfigError(
                f"option 'when' must be S, M, H, D, midnight or W0 to W6, not {self.when!r}", option="when"
            )
        object.__setattr__(self, "when", word)

    @property
    def digest(self) -> int:
        """A number that changes with the rule, so that a kept time is not taken for another rule's."""
        return zlib.crc32(f"{self.when} {self.interval} {self.utc}".encode()) | 1

    def next_after(self, now: float) -> int:
        """The first rotation after ``now``, both in seconds since 1970 UTC.

        The short units count from ``now``. ``midnight`` and the week days fall on a midnight of the
        local time (or UTC), also across a change to or from summer time.
        """
        if self.when in ("S", "M", "H", "D"):
            return int(now) + _SECONDS[self.when] * self.interval
        clock = time.gmtime(now) if self.utc else time.localtime(now)
        left = _DAY - (clock.tm_hour * 3600 + clock.tm_min * 60 + clock.tm_sec)
        days = 0
        if self.when[0] == "W":
            # A whole day always passes before the midnight that begins the day after ``left``.
            days = (int(self.when[1]) - clock.tm_wday) % 7
            step = 7 * (self.interval - 1)
        else:
            step = self.interval - 1
        return self._at_midnight(int(now) + left + (days + step) * _DAY)

    def _at_midnight(self, when: int) -> int:
        """Move a time that summer time has shifted by an hour back to its midnight."""
        if self.utc:
            return when
        clock = time.localtime(when)
        off = clock.tm_hour * 3600 + clock.tm_min * 60 + clock.tm_sec
        if off == 0:
            return when
        # An hour late after the clocks went forward, an hour early after they went back.
        moved = when - off if off < _DAY // 2 else when + _DAY - off
        date = time.localtime(moved)
        return moved if calendar.timegm(date) % _DAY == 0 else when
