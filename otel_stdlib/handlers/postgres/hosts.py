"""Connecting to one of several hosts, and what is remembered of each.

libpq tries them in their order each time, and waits for ``connect_timeout`` at one that does not answer.
Here the host that worked comes first, and one that failed last, with a short limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.handlers.places import Places

__all__ = ["Hosts"]

#: libpq takes no less for ``connect_timeout``.
_SHORT = 2
_LISTS = ("host", "hostaddr", "port")
#: What libpq judges over all hosts together: these are left to it.
_TOGETHER = (("target_session_attrs", "prefer-standby"), ("load_balance_hosts", "random"))


class Hosts:
    """The hosts of one target, kept over its connections. Used by one thread at a time."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self._lists: tuple[list[str], ...] = ()
        self._places = Places(1, clock)

    def attempts(self, parameters: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Parameters of a connection to each host, the likeliest first, with its number."""
        given = dict(parameters)
        lists = tuple(str(given.get(name, "")).split(",") for name in _LISTS)
        count = max(len(each) for each in lists[:2])
        if any(given.get(name) == value for name, value in _TOGETHER) or any(
            len(each) not in (1, count) for each in lists
        ):
            count = 1  # libpq's to do, or to refuse
            lists = ()
        if lists != self._lists:
            self._lists, self._places = lists, Places(count, self._clock)
        if count == 1:
            yield 0, given
            return
        for number in self._places.order():
            one = {**given, **{name: self._part(place, number) for place, name in enumerate(_LISTS)}}
            if self._places.is_paused(number):
                one["connect_timeout"] = min(_SHORT, int(given.get("connect_timeout", _SHORT)))
            yield number, {name: value for name, value in one.items() if value != ""}

    def _part(self, place: int, number: int) -> str:
        values = self._lists[place]
        return values[number if len(values) > 1 else 0]

    def name(self, number: int) -> str:
        """The host, for messages; "": there is only one."""
        if not self._lists or max(map(len, self._lists)) == 1:
            return ""
        host = self._part(0, number) or self._part(1, number)
        return f"{host}:{self._part(2, number) or 5432}"

    def worked(self, number: int) -> None:
        """There is a connection."""
        self._places.worked(number)

    def failed(self, number: int) -> None:
        """There is none, it gave no answer, or it cannot be written to."""
        self._places.failed(number)
