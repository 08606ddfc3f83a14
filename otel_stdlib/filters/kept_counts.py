"""Counts of suppressed records where a kill cannot take them, and those that dead processes left."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.severity import level_of
from otel_stdlib.record.line import load_record
from otel_stdlib.record.rebuild import rebuild_record
from otel_stdlib.spool.forkguard import new_guard
from otel_stdlib.spool.pages import Counted, Page, leftover_pages

__all__ = ["KeptCounts", "Leftover", "record_of"]

Store = Callable[[int, float], None]
#: The name of a page, and what it counted.
Leftover = tuple[str, list[Counted]]


class KeptCounts:
    """Counts in mapped pages beside the spool. Under its owner's lock.

    Args:
        rule: of the filter: another process's filter with the same rule takes over what this one leaves.
    """

    def __init__(self, rule: str) -> None:
        self.kind = "dedupe-" + hashlib.sha256(rule.encode()).hexdigest()[:10]
        self._pages: list[Page] = []
        #: ``guard[0]`` is 0 in a child of a fork that ran no hooks: the pages are its parent's. None without pages.
        self.guard: Any = None

    def take(self, root: Any, record: logging.LogRecord, line: bytes) -> Store | None:
        """A count of 1 for a record, and what changes it; None where it is in memory only."""
        if root is None:
            return None
        try:
            page = next((page for page in self._pages if not page.is_full), None)
            if page is None:
                page = Page(root, self.kind)
                self._pages.append(page)
                self.guard = self.guard or new_guard()
            text = b"%d %b" % (level_of(record), line) if line else b""
            return page.take(record.created, text)
        except (OSError, ValueError) as error:
            say(
                "kept-counts",
                f"counts of repeated records are in memory only and do not survive a kill: {error}",
            )
            return None

    def tidy(self) -> None:
        """Delete pages that count nothing."""
        for page in [page for page in self._pages if page.is_empty]:
            self._pages.remove(page)
            page.remove()

    def let_go(self) -> None:
        """Forget the parent's pages, in a forked child."""
        for page in self._pages:
            page.let_go()
        self._pages, self.guard = [], None

    def leftovers(self, root: Any) -> Iterator[Leftover]:
        """What dead processes have counted in this folder. Each is locked until the next is asked for."""
        own = [page.name for page in self._pages]
        return leftover_pages(root, self.kind, own)


def record_of(counted: Counted) -> dict[str, Any] | None:
    """The fields of the record that a count was begun for; None where they are not known."""
    level, _, line = counted.text.partition(b" ")
    try:
        made = rebuild_record(load_record(line, b"", b"{}"), int(level), int(counted.last * 1e9))
    except (ValueError, TypeError):
        return None
    fields = dict(made.__dict__)
    fields.pop("log.record.uid", None)
    return fields
