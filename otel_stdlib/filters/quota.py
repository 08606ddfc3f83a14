"""``QuotaFilter``: so much in a period, for all processes of a service together, across restarts."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_stdlib.facts.clock import monotonic, wall
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.facts.options import (
    check_choice,
    check_seconds,
    check_whole,
    only_known,
)
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.filters.dedupe import check_directory
from otel_stdlib.filters.excess import Excess
from otel_stdlib.filters.keys import check_by, key_of, key_text
from otel_stdlib.filters.losses import Lost, lost_records, size_of
from otel_stdlib.filters.quota_file import QuotaFile, Usage
from otel_stdlib.filters.quota_options import check_limits, check_period, check_warn_at
from otel_stdlib.filters.reporting import Origin, Reporting
from otel_stdlib.spool.place import open_root

__all__ = ["QuotaFilter"]

_PARTS = ("logger", "template", "level", "none")
#: Seconds between two looks at what the other processes have used.
_EVERY = 1.0
_PATIENCE = 0.5
_NEVER = float("-inf")


class QuotaFilter(Reporting):
    """Lets ``limit`` records or bytes pass in each period, for each key and all processes of a service together.

    What was used is in a file next to the spool and survives a restart. Processes exchange it every second: together
    they may pass the limit by what they log in one second. A kill forgets what was used in the last second.

    At 80 % a WARNING with the event name ``otel_stdlib.quota`` is logged, once in a period. What is suppressed is
    reported as ``RateLimitFilter`` does.

    Args:
        limit: records or bytes of a period. It has to be given.
        period: ``minute``, ``hour`` or ``day``, which begin when those of UTC do; or whole seconds.
        unit: ``records``; or ``bytes``, those of the message in UTF-8.
        by: what has a limit of its own: as for ``RateLimitFilter``.
        up_to: the highest level that is limited. Records above it always pass and use nothing.
        warn_at: the share of the limit at which a warning is logged; 1: none before the limit.
        max_keys: keys that are counted in a period. Records of further ones count together.
        report: seconds between two records that report what was suppressed; 0: none.
        excess: as for ``RateLimitFilter``.
        overrides: other limits, by logger, template, level or value: ``{acme: {limit: 1000}}``.
        directory: the folder of the file; left out, that of the handler's spool.
        rule: the name under which suppressed records are counted. Filters with the same rule share a file.

    Raises:
        ConfigError: an option is wrong, or the file cannot be read; the message quotes the option.
    """

    order = 4

    @only_known("unknown option {} of QuotaFilter")
    def __init__(
        self,
        limit: int | None = None,
        *,
        period: str | int = "day",
        unit: str = "records",
        by: str | Sequence[str] = "none",
        up_to: int | str = "INFO",
        warn_at: float = 0.8,
        max_keys: int = 10_000,
        report: float = 10.0,
        excess: Any = "drop",
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        directory: str | os.PathLike[str] | None = None,
        rule: str = "quota",
    ) -> None:
        super().__init__(rule, up_to)
        check_whole("limit", limit, 1)
        self.limit = limit or 1
        self.seconds = check_period(period)
        check_choice("unit", unit, ("records", "bytes"))
        self.unit = unit
        self.by = check_by(by, _PARTS)
        self._warn_at = check_warn_at(warn_at)
        check_whole("max_keys", max_keys, 1)
        self.max_keys = max_keys
        self._report_every = check_seconds("report", report, 0)
        self._excess = Excess(excess)
        self._overrides = check_limits(overrides)
        self.directory = check_directory(directory)
        self._file = QuotaFile(self.rule, self.seconds)
        if self.directory is not None:
            self._file.check(self.directory)
        #: What all processes had used by the last exchange, and this one has since.
        self._all = Usage(-1, {}, set())
        self._own: dict[str, int] = {}
        self._exchanged = _NEVER
        self._limits: dict[str, int] = {}
        self._lost: dict[str, Lost] = {}
        self._next_report = 0.0
        self.decide = self._make()

    def _make(self) -> Callable[[logging.LogRecord], bool]:
        up_to, key_for, texts = self.up_to, key_of(self.by), self._text
        size = size_of if self.unit == "bytes" else None

        def decide(record: logging.LogRecord) -> bool:
            try:
                if record.levelno > up_to or isinstance(record, Summary):
                    return True
                parts = key_for(record)
                key = texts(parts) if parts else ""
                cost = 1 if size is None else size(record)
                if self._exchanged == _NEVER:
                    self._first()
                with self._lock:
                    self._roll()
                    used = self._all.used.get(key, 0) + self._own.get(key, 0)
                    if not self._is_set:
                        self.set_due(0.0 if monotonic() - self._exchanged > _EVERY else _EVERY)
                    if used + cost <= self.limit_of(key):
                        if key not in self._own and len(self._own) >= self.max_keys:
                            key = "…"
                        self._own[key] = self._own.get(key, 0) + cost
                        return True
                    found = self._lost.get(key)
                    if found is None and len(self._lost) >= self.max_keys:
                        found = self._lost.setdefault("…", Lost.none("other keys", record))
                    elif found is None:
                        found = self._lost[key] = Lost.none(key, record)
                    found.add(record, cost)
            except Exception:  # made by hand, or with objects that raise: no reason to lose it
                return True
            if self._excess:
                self._excess.take(record)
            return False

        return decide

    def limit_of(self, key: str) -> int:
        """The limit of a key, as text."""
        return self._limits.get(key, self.limit)

    def _text(self, parts: tuple[Any, ...]) -> str:
        """A key as the file has it."""
        key = key_text(self.by, parts)
        for part in parts if self._overrides else ():
            if str(part) in self._overrides and len(self._limits) < self.max_keys:
                self._limits[key] = self._overrides[str(part)]
        return key

    def _roll(self) -> None:
        """Begin a new period when the clock says so. One that was set back a little stays in the present one."""
        period = int(wall() // self.seconds)
        if period > self._all.period or period < self._all.period - 1:
            self._all, self._own = Usage(period, {}, set()), {}

    # -- exchange ---------------------------------------------------------------------------

    def check_folder(self, folder: str | os.PathLike[str]) -> None:
        """Look at the file in the folder of a handler's spool, when the handler gets the filter.

        Raises:
            ConfigError: it cannot be read.
        """
        if self.directory is None:
            self._file.check(folder)

    def _first(self) -> None:
        """What was used before this process began. In its first log call that comes here."""
        self._exchanged = monotonic()
        self.start_home()
        self.exchange()

    def exchange(self) -> list[dict[str, Any]]:
        """Add what was used here to the file and read what was used elsewhere; the warnings that are due."""
        try:
            root = self.spool_root() if self.directory is None else open_root(self.directory)
        except SpoolUnavailable as error:
            say("quota", f"a quota is kept in memory, for this process alone: {error}")
            root = None
        with self._lock:
            self._roll()
            mine, self._own = Usage(self._all.period, self._own, set()), {}
            self._all = self._all if not mine.used else _sum(self._all, mine)
            self._exchanged = monotonic()
        if root is None:
            return self._warned(self._warn_alone())
        try:
            found, fresh = self._file.add(root, mine, self._warn_at, self.limit_of, _PATIENCE)
        except (OSError, ValueError) as error:
            say(
                "quota",
                f"the quota's file {self._file.name} cannot be used, and each process counts alone: {error}",
            )
            with self._lock:
                self._take_back(mine)
            return []
        with self._lock:
            if found.period == self._all.period:
                self._all = found
        return self._warned(fresh)

    def _take_back(self, mine: Usage) -> None:
        """What could not be written waits for the next exchange."""
        if mine.period == self._all.period:
            for key, amount in mine.used.items():
                self._own[key] = self._own.get(key, 0) + amount
                self._all.used[key] -= amount

    def _warn_alone(self) -> list[str]:
        fresh = [
            key
            for key, used in self._all.used.items()
            if key not in self._all.warned and used >= self._warn_at * self.limit_of(key)
        ]
        self._all.warned.update(fresh)
        return fresh

    def _warned(self, keys: list[str]) -> list[dict[str, Any]]:
        if self._warn_at >= 1:
            return []
        return [self._warning(key) for key in keys]

    def _warning(self, key: str) -> dict[str, Any]:
        limit, used = self.limit_of(key), self._all.used.get(key, 0)
        origin = Origin(self.rule, logging.WARNING, "", 0, None, 0.0, (None, None, None, None))
        text = f" of {key}" if key else ""
        attributes = {
            "event.name": "otel_stdlib.quota",
            "otel_stdlib.quota.rule": self.rule,
            "otel_stdlib.quota.key": key,
            "otel_stdlib.quota.used": used,
            "otel_stdlib.quota.limit": limit,
        }
        return origin.fields("%d of %d %s used%s (%s)", (used, limit, self.unit, text, self.rule), attributes)

    # -- reporting ---------------------------------------------------------------------------

    def collect(self, now: float, everything: bool) -> tuple[list[dict[str, Any]], float | None]:
        """Exchange, and the records that are due: warnings, and what was suppressed."""
        found = [] if self._exchanged == _NEVER else self.exchange()
        with self._lock:
            if self._lost and (everything or now >= self._next_report):
                lost, self._lost = list(self._lost.values()), {}
                self._next_report = now + self._report_every
                if self._report_every:
                    found += lost_records(self.rule, self.unit, lost)
            return found, now + _EVERY if self._own or self._lost else None

    def renew(self) -> None:
        """What the parent has used and lost is the parent's to tell."""
        super().renew()
        self._own, self._lost = {}, {}


def _sum(one: Usage, other: Usage) -> Usage:
    used = dict(one.used)
    for key, amount in other.used.items():
        used[key] = used.get(key, 0) + amount
    return Usage(one.period, used, one.warned)
