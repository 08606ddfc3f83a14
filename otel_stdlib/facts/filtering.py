"""Running a handler's filters, the same on every Python, and noticing when they change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex
from weakref import WeakMethod

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Drop",
    "Test",
    "WatchedFilters",
    "bind_filters",
    "compile_filters",
    "flush_filters",
    "has_filters",
    "run_filters",
    "watch_filters",
]

#: What a filter answers: a record, or whether it is kept.
Test = Callable[[logging.LogRecord], Any]
#: Called with a record that a filter dropped.
Drop = Callable[[logging.LogRecord], None]

_standard = logging.Filterer.filter


def has_filters(handler: logging.Filterer) -> bool:
    """Whether ``handler.filter`` may do anything: it has filters, or a ``filter`` of its own."""
    return bool(handler.filters) or not _is_standard(handler)


def _is_standard(handler: logging.Filterer) -> bool:
    return type(handler).filter is _standard and "filter" not in vars(handler)


def compile_filters(handler: logging.Filterer, drop: Callable[[Any], Drop]) -> tuple[tuple[Test, Drop], ...]:
    """The tests of ``handler``, each with what is called with a record that it drops.

    ``drop`` answers with that for a filter. A filter of this package is asked for its decision alone: the
    handler that asks counts what it loses, see ``Suppressing``.
    """
    if not _is_standard(handler):
        return ((handler.filter, drop(handler)),)
    return tuple((_test_of(each), drop(each)) for each in _in_order(handler.filters))


def _in_order(filters: Sequence[Any]) -> Sequence[Any]:
    """The filters of a handler, with those of this package that drop records in the order that they document.

    The others stay where they are.
    """
    ours = [place for place, each in enumerate(filters) if getattr(each, "decides", False) is True]
    if len(ours) < 2:
        return filters
    found = list(filters)
    for place, each in zip(ours, sorted([found[place] for place in ours], key=_order), strict=True):
        found[place] = each
    return found


def _order(each: Any) -> int:
    return int(getattr(each, "order", 0))


def bind_filters(filters: Iterable[Any], owner: logging.Filterer, home: object) -> None:
    """Let filters of this package that log something themselves know that ``owner`` has them, and its pipeline."""
    for each in filters:
        bind = getattr(each, "bind", None) if getattr(each, "decides", False) is True else None
        if bind is not None:
            bind(owner, home)


def flush_filters(filters: Iterable[Any]) -> None:
    """Let filters of this package log what they have to report. Never raises."""
    for each in filters:
        flush = getattr(each, "flush", None) if getattr(each, "decides", False) is True else None
        if flush is not None:
            try:
                flush()
            except Exception:
                continue


def _test_of(each: Any) -> Test:
    test: Test | None = getattr(each, "decide", None) if getattr(each, "decides", False) is True else None
    return test or getattr(each, "filter", each)


def run_filters(
    handler: logging.Filterer, record: logging.LogRecord, drop: Callable[[Any], Drop] | None = None
) -> logging.LogRecord | None:
    """The record that passes the filters of ``handler``, None when one of them drops it.

    A filter that returns another record replaces it. The standard library does so from Python 3.12 on;
    here it is so on each version. What a filter raises passes. ``drop(filter)(record)`` is called for
    a record that is dropped.
    """
    if not _is_standard(handler):
        found = _result(handler.filter(record), record)
        if found is None and drop is not None:
            drop(handler)(record)
        return found
    for each in _in_order(handler.filters):
        found = _result(_test_of(each)(record), record)
        if found is None:
            if drop is not None:
                drop(each)(record)
            return None
        record = found
    return record


def _result(answer: object, record: logging.LogRecord) -> logging.LogRecord | None:
    if isinstance(answer, logging.LogRecord):
        return answer
    return record if answer else None


class WatchedFilters(list[Any]):
    """A handler's list of filters that tells when it changes.

    ``addFilter`` and ``removeFilter`` change it in place. Listeners are held weakly.
    """

    __slots__ = ("listeners",)

    def __init__(self, filters: Iterable[Any], listeners: list[WeakMethod[Callable[[], None]]]) -> None:
        super().__init__(filters)
        self.listeners = listeners

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def renewed(self, filters: Any) -> WatchedFilters:
        """This list with other filters in it."""
        self[:] = list(filters)
        return self

    def tell(self) -> None:
        """Call every listener that still exists."""
        self.listeners[:] = [listener for listener in self.listeners if listener() is not None]
        for listener in self.listeners:
            call = listener()
            if call is not None:
                call()

    def append(self, item: Any) -> None:
        """Add one."""
        super().append(item)
        self.tell()

    def extend(self, items: Iterable[Any]) -> None:
        """Add some."""
        super().extend(items)
        self.tell()

    def insert(self, index: SupportsIndex, item: Any) -> None:
        """Add one before another."""
        super().insert(index, item)
        self.tell()

    def remove(self, item: Any) -> None:
        """Take one out."""
        super().remove(item)
        self.tell()

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Take one out by its place."""
        item = super().pop(index)
        self.tell()
        return item

    def clear(self) -> None:
        """Take all out."""
        super().clear()
        self.tell()

    def __setitem__(self, index: Any, item: Any) -> None:
        super().__setitem__(index, item)
        self.tell()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        self.tell()

    def __iadd__(self, items: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(items)
        return self


def watch_filters(handler: logging.Filterer, listener: Callable[[], None]) -> None:
    """Call ``listener``, a bound method, whenever a filter is added to ``handler`` or removed from it."""
    filters = handler.filters
    if not isinstance(filters, WatchedFilters):
        handler.filters = filters = WatchedFilters(filters, [])
    known = {each() for each in filters.listeners}
    if listener not in known:
        filters.listeners.append(WeakMethod(listener))
