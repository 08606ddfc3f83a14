"""``DedupeFilter``: the first record at once, the repeats of a window as one with their exact count."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import ConfigError, SpoolUnavailable
from otel_stdlib.facts.options import check_choice, check_seconds, check_whole, only_known
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.filters.kept_counts import KeptCounts, Store, record_of
from otel_stdlib.filters.keys import Key, check_by, key_of
from otel_stdlib.filters.losses import stamp
from otel_stdlib.filters.reporting import Reporting
from otel_stdlib.record.context import SpanContext
from otel_stdlib.record.current import current_span
from otel_stdlib.spool.pages import Counted
from otel_stdlib.spool.place import open_root

__all__ = ["DedupeFilter"]

#: Seconds between two looks for the folder of spools, until the handler has its spool; and how many there are.
_LOOK = 0.2
_MOST_LOOKS = 50
_PARTS = ("logger", "level", "template", "body", "exception.type", "code.line")
#: Count, first, last, interval.
_NAMES = {
    "otel_stdlib": tuple(f"otel_stdlib.repeat.{name}" for name in ("count", "first", "last", "interval")),
    "collector": ("log_count", "first_observed_timestamp", "last_observed_timestamp", "interval"),
}


class _Run:
    """The window of one key."""

    __slots__ = ("count", "end", "first", "last", "passed", "span", "store")

    def __init__(self, end: float) -> None:
        self.end = end
        self.passed = 0
        self.forget()

    def forget(self) -> None:
        self.count = 0
        self.first = 0.0
        self.last: logging.LogRecord | None = None
        self.span: SpanContext | None = None
        self.store: Store | None = None


class DedupeFilter(Reporting):
    """Lets the first of equal records pass at once, and reports the repeats of each window as one record.

    A window begins with a key's first record and ends ``window`` seconds later, however often it is repeated: a flood
    shows at least one record in each. At its end the last suppressed record is logged as it was, with
    ``otel_stdlib.repeat.count`` (the exact number of suppressed records), ``.first``, ``.last`` and ``.interval``.

    Counts are in a mapped file in the folder of spools. After a kill the next process of the service reports them,
    with the text of the first suppressed record of the window.

    Args:
        window: seconds.
        by: what makes records equal: a list of ``logger``, ``level``, ``template`` (the message before its arguments
            are put in), ``body`` (the message after that), ``exception.type``, ``code.line`` and ``attribute:NAME``.
        allow: records of a window that pass before others are suppressed.
        up_to: the highest level that is deduplicated.
        max_keys: windows that are open; the oldest one ends early where there are more.
        names: of the attributes: ``otel_stdlib``; or ``collector``, as its processor ``log_dedup`` has them.
        directory: where counts are kept; left out, the folder of the handler's spool.
        rule: the name under which suppressed records are counted; a process takes over those of the same rule.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    order = 2

    @only_known("unknown option {} of DedupeFilter")
    def __init__(
        self,
        window: float = 10.0,
        *,
        by: str | Sequence[str] = ("logger", "level", "template", "exception.type", "code.line"),
        allow: int = 1,
        up_to: int | str = "CRITICAL",
        max_keys: int = 5_000,
        names: str = "otel_stdlib",
        directory: str | os.PathLike[str] | None = None,
        rule: str = "dedupe",
    ) -> None:
        super().__init__(rule, up_to)
        self.window = check_seconds("window", window)
        self.by = check_by(by, _PARTS)
        check_whole("allow", allow, 1)
        check_whole("max_keys", max_keys, 1)
        check_choice("names", names, tuple(_NAMES))
        self.directory = check_directory(directory)
        self.allow, self.max_keys, self._names = allow, max_keys, _NAMES[names]
        self._runs: OrderedDict[Key, _Run] = OrderedDict()
        #: Windows that have ended with something to report.
        self._ended: list[_Run] = []
        self._kept = KeptCounts(self.rule)
        self._looked, self._looks = False, 0
        self.decide = self._make()

    def _make(self) -> Callable[[logging.LogRecord], bool]:
        up_to, key_for, clock, runs, allow = self.up_to, key_of(self.by), monotonic, self._runs, self.allow
        begin, suppress, span, kept = self._begin, self._suppress, current_span, self._kept

        def decide(record: logging.LogRecord) -> bool:
            try:
                if record.levelno > up_to or type(record) is Summary:
                    return True
                key = key_for(record)
                with self._lock:
                    now = clock()
                    run = runs.get(key)
                    if run is None or now >= run.end:
                        run = begin(key, run, now)
                    if run.passed < allow:
                        run.passed += 1
                        return True
                    if not run.count:
                        suppress(record, run)
                        return False
                    if kept.guard is not None and not kept.guard[0]:
                        self.renew()  # a child of a fork that ran no hooks: the window is its parent's
                        return True
                    run.count = count = run.count + 1
                    run.last = record
                    run.span = span()
                    store = run.store
                    if store is not None:
                        store(count, record.created)
                return False
            except Exception:  # made by hand, or with objects that raise: no reason to lose it
                return True

        return decide

    def _begin(self, key: Key, former: _Run | None, now: float) -> _Run:
        if not self._looked:
            self._looked = True
            self.hurry()  # what a dead process has left
        if former is not None:
            del self._runs[key]
            self._end(former)
        elif len(self._runs) >= self.max_keys:
            self._end(self._runs.popitem(last=False)[1])
        self._runs[key] = run = _Run(now + self.window)
        return run

    def _end(self, run: _Run) -> None:
        if run.count:
            self._ended.append(run)
            self.hurry()

    def _suppress(self, record: logging.LogRecord, run: _Run) -> None:
        run.count = 1
        run.last = record
        run.span = current_span()
        run.first = record.created
        run.store = self._kept.take(self._root(), record, self.stored_line(record))
        self.set_due(run.end - monotonic())

    # -- reporting -------------------------------------------------------------------------

    def collect(self, now: float, everything: bool) -> tuple[list[dict[str, Any]], float | None]:
        """The last record of each window that has ended, or of all with ``everything``."""
        with self._lock:
            found = [self._told(run) for run in self._ended]
            self._ended = []
            nearest: float | None = None
            for key, run in list(self._runs.items()):
                is_over = now >= run.end
                if run.count and (is_over or everything):
                    found.append(self._told(run))
                elif run.count:
                    nearest = run.end if nearest is None else min(nearest, run.end)
                if is_over:
                    del self._runs[key]
        return found, nearest

    def _told(self, run: _Run) -> dict[str, Any]:
        assert run.last is not None
        fields = dict(run.last.__dict__)
        if run.span is not None:
            for name, value in run.span.fields.items():
                if value:
                    fields.setdefault(name, value)
        self._count_in(fields, run.count, run.first, run.last.created)
        store = run.store
        run.forget()
        if store is not None:
            fields[_STORE] = store
        return fields

    def _count_in(self, fields: dict[str, Any], count: int, first: float, last: float) -> None:
        values = (count, stamp(first), stamp(last), self.window)
        fields.update(zip(self._names, values, strict=True))

    def emit(self, found: list[dict[str, Any]]) -> None:
        """Log what is due. A count is taken out of its page when its record is logged: a kill between loses none."""
        for fields in found:
            store = fields.pop(_STORE, None)
            super().emit([fields])
            if store is not None:
                with self._lock:
                    store(0, 0.0)
        with self._lock:
            self._kept.tidy()

    def report(self, now: float) -> float | None:
        """Log what is due, and what dead processes have left."""
        again = None if self._take_over() else now + _LOOK
        nearest = super().report(now)
        if again is None or (nearest is not None and nearest < again):
            return nearest
        return again

    def now(self) -> float:
        """The clock of windows."""
        return monotonic()

    def flush(self) -> None:
        """Log what waits, due or not. A window goes on: what is suppressed later in it is one more record."""
        if self._looked:
            self._take_over()
        super().flush()

    def _take_over(self) -> bool:
        """Log what dead processes have counted; False where the folder is not known yet."""
        root = self._root()
        if root is None:
            self._looks += 1
            return self._looks > _MOST_LOOKS
        with self._emitting:
            for name, counts in self._kept.leftovers(root):
                super().emit([self._taken(counted) for counted in counts])
                try:
                    os.unlink(name, dir_fd=root.fd)
                except OSError:
                    continue
        return True

    def _taken(self, counted: Counted) -> dict[str, Any]:
        fields = record_of(counted)
        if fields is None:
            text = "repeats of a record whose text did not survive its process"
            fields = dict(logging.LogRecord(self.rule, logging.WARNING, "", 0, text, (), None).__dict__)
            fields["thread"] = fields["threadName"] = None
        self._count_in(fields, counted.number, counted.first, counted.last)
        return fields

    def renew(self) -> None:
        """No window is open in a forked child, and its parent's counts are its parent's."""
        super().renew()
        self._runs.clear()
        self._ended = []
        self._kept.let_go()
        self._looked, self._looks = False, 0

    def _root(self) -> Any:
        try:
            return self.spool_root() if self.directory is None else open_root(self.directory)
        except SpoolUnavailable:
            return None


#: A member of fields on their way: what takes their count out of its page.
_STORE = "\0store"


def check_directory(value: object) -> Path | None:
    """Return an absolute path; None where none was given.

    Raises:
        ConfigError: it is not a path.
    """
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not value:
        raise ConfigError(f"option 'directory' must be a path, not {value!r}", option="directory")
    return Path(os.path.abspath(os.fspath(value)))
