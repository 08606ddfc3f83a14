"""Counting what filters suppress: by rule and severity, cheap enough for a log call that stores nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.severity import level_of, severity_number, severity_range_name

__all__ = ["Suppressed", "by_rule", "elsewhere", "elsewhere_counter", "rule_of"]


class Suppressed:
    """Counts of records by rule and level. Any thread.

    A count is one call of an ``itertools.count``, which neither takes a lock nor loses anything between threads.
    """

    def __init__(self) -> None:
        self._rules: dict[str, dict[Any, Callable[[], int]]] = {}

    def counter(self, rule: str) -> Callable[[logging.LogRecord], None]:
        """What counts one record as suppressed by ``rule``. Make it once, and keep it."""
        ticks = self._rules.setdefault(rule, {})

        def tick(record: logging.LogRecord) -> None:
            try:
                ticks[record.levelno]()
            except (KeyError, TypeError):  # the first one of its level, or a record without a level
                ticks.setdefault(level_of(record), count().__next__)()

        return tick

    def snapshot(self) -> dict[str, dict[str, int]]:
        """The counts: ``{rule: {severity: count}}``."""
        flat = {
            f"{rule}:{severity_number(level)}": 0
            for rule, ticks in list(self._rules.items())
            for level in list(ticks)
        }
        for rule, ticks in list(self._rules.items()):
            for level, tick in list(ticks.items()):
                # The number that comes next: ``count(3)``. A look at it takes nothing away.
                flat[f"{rule}:{severity_number(level)}"] += int(repr(tick.__self__)[6:-1])  # type: ignore[attr-defined]
        return by_rule(flat)

    def after_fork(self) -> None:
        """Start from nothing, in a child process."""
        for ticks in list(self._rules.values()):
            ticks.clear()


def by_rule(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Counts by rule and the name of the severity's range, from ``rule:severity`` counts."""
    found: dict[str, dict[str, int]] = {}
    for name, number in sorted(counts.items()):
        rule, _, severity = name.rpartition(":")
        if number:
            by_name = found.setdefault(rule, {})
            label = severity_range_name(int(severity)) or "UNSPECIFIED"
            by_name[label] = by_name.get(label, 0) + number
    return found


def rule_of(each: Any) -> str:
    """The name under which what a filter drops is counted: its ``rule``, else what it is called."""
    rule = getattr(each, "rule", None)
    if isinstance(rule, str) and rule:
        return rule
    return str(getattr(each, "__name__", None) or type(each).__name__)


#: What filters of this package suppress on loggers and on handlers of others, in this process.
elsewhere = Suppressed()
_forks = ForkRegistry(Suppressed.after_fork)


def elsewhere_counter(rule: str) -> Callable[[logging.LogRecord], None]:
    """``elsewhere.counter``. A forked child starts from nothing."""
    _forks.add(elsewhere)
    return elsewhere.counter(rule)
