"""Filters of handlers: asked as the standard library asks them, and watched."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib.facts.filtering import WatchedFilters, run_filters, watch_filters


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([], True),
        ([lambda _: 1, lambda _: None], False),
        ([logging.Filter("tests")], True),
        ([logging.Filter("other")], False),
    ],
)
def test_run_filters(filters: list[Callable[[logging.LogRecord], Any]], passes: bool) -> None:
    """As the standard library's ``Filterer.filter`` answers."""
    handler = logging.NullHandler()
    for each in filters:
        handler.addFilter(each)
    record = logging.makeLogRecord({"name": "tests.x"})
    assert passes is (run_filters(handler, record) is record)
    assert passes is bool(handler.filter(record))


class _Listener:
    def __init__(self) -> None:
        self.calls = 0

    def note(self) -> None:
        self.calls += 1


def test_each_change_is_told() -> None:
    """Whatever changes the list calls each listener once; one that is gone is forgotten."""
    handler, listener, other = logging.NullHandler(), _Listener(), _Listener()
    for each in (listener, other, listener):
        watch_filters(handler, each.note)
    a, b = logging.Filter("a"), logging.Filter("b")
    changes: list[Callable[[], Any]] = [
        lambda: handler.addFilter(a),
        lambda: handler.removeFilter(a),
        lambda: handler.filters.extend([a, b]),
        lambda: handler.filters.insert(0, b),
        lambda: handler.filters.__setitem__(0, a),
        lambda: handler.filters.__delitem__(0),
        handler.filters.pop,
        lambda: handler.filters.__iadd__([b]),
        handler.filters.clear,
    ]
    for count, change in enumerate(changes, 1):
        change()
        assert (count, count) == (listener.calls, other.calls)
    del other
    gc.collect()
    handler.addFilter(a)
    assert len(changes) + 1 == listener.calls
    assert isinstance(handler.filters, WatchedFilters)
    assert 1 == len(handler.filters.listeners)


def test_a_copy_is_a_list() -> None:
    """Whoever copies a handler's filters gets a plain list."""
    handler = logging.NullHandler()
    watch_filters(handler, _Listener().note)
    handler.addFilter(logging.Filter("a"))
    for made in (copy.deepcopy(handler.filters), pickle.loads(pickle.dumps(handler.filters))):
        assert list is type(made)
        assert ["a"] == [each.name for each in made]
