"""``otel_span`` and ``aotel_span``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from otel_stdlib.facts.levels import level_number
from otel_stdlib.tracing.events import Where, where_is
from otel_stdlib.tracing.work import Span

__all__ = ["SpanManager", "aotel_span", "otel_span"]


class SpanManager:
    """A context manager, for ``with`` and ``async with``, whose value is the ``Span``.

    Each use makes a new span; uses may be nested. What is raised inside passes through as it is.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, Any],
        correlation_id: str | None,
        where: Where,
        level: int,
        events: bool,
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._correlation_id = correlation_id
        self._where = where
        self._level = level
        self._events = events
        self._open: list[tuple[Span, Any]] = []

    def __enter__(self) -> Span:
        span = Span(
            self._name,
            self._attributes,
            self._correlation_id,
            self._where,
            level=self._level,
            events=self._events,
        )
        span.start()
        self._open.append((span, span.enter()))
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span, token = self._open.pop()
        try:
            span.end(error)
        finally:
            span.leave(token)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def otel_span(
    operation_name: str,
    attributes: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
    *,
    level: int | str = "INFO",
    events: bool = True,
    **more: Any,
) -> SpanManager:
    """A span around a block of code.

    Write ``with otel_span("load", {"size": 3}) as span:``.

    Records logged inside carry its ids, in this thread or task and in tasks started from it. It
    nests under the current span, OpenTelemetry's or this package's.

    Args:
        operation_name: the span's name.
        attributes: shown at its start and its end.
        correlation_id: for every record inside; the one around it when left out.
        level: of the two log records, where no OpenTelemetry SDK takes the span.
        events: log its start and its end.
        **more: more attributes.
    """
    found = {**(attributes or {}), **more}
    return SpanManager(
        operation_name, found, correlation_id, where_is(sys._getframe(1)), level_number(level), events
    )


def aotel_span(
    operation_name: str,
    attributes: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
    *,
    level: int | str = "INFO",
    events: bool = True,
    **more: Any,
) -> SpanManager:
    """``otel_span`` for ``async with``; it never blocks the loop."""
    found = {**(attributes or {}), **more}
    return SpanManager(
        operation_name, found, correlation_id, where_is(sys._getframe(1)), level_number(level), events
    )
