"""Running a handler's filters, the same on every Python, and noticing when they change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex
from weakref import WeakMethod

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["WatchedFilters", "has_filters", "run_filters", "watch_filters"]

_standard = logging.Filterer.filter


def has_filters(handler: logging.Filterer) -> bool:
    """Whether ``handler.filter`` may do anything: it has filters, or a ``filter`` of its own."""
    return bool(handler.filters) or not _is_standard(handler)


def _is_standard(handler: logging.Filterer) -> bool:
    return type(handler).filter is _standard and "filter" not in vars(handler)


def run_filters(handler: logging.Filterer, record: logging.LogRecord) -> logging.LogRecord | None:
    """The record that passes the filters of ``handler``, None when one of them drops it.

    A filter that returns another record replaces it. The standard library does so from Python 3.12 on;
    here it is so on each version. What a filter raises passes.
    """
    if not _is_standard(handler):
        return _result(handler.filter(record), record)
    for each in handler.filters:
        test: Any = getattr(each, "filter", each)
        found = _result(test(record), record)
        if found is None:
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
