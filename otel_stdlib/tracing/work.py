"""One piece of work that is logged: a span, or a call without one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from otel_stdlib.record.context import SpanContext, attach, current_context, detach, new_span_id, new_trace_id
from otel_stdlib.record.current import current_span
from otel_stdlib.tracing.events import Where, emit
from otel_stdlib.tracing.sdk import SdkSpan, find_tracer

__all__ = ["Call", "Span", "Work"]

START = "span.start"
END = "span.end"


class Work(Protocol):
    """What managers and decorators drive: ``start``, then ``enter`` and ``leave`` as often as it runs, then ``end``."""

    def start(self) -> None:
        """It begins."""

    def enter(self) -> Any:
        """Make its context the current one; the token is for ``leave``."""

    def leave(self, token: Any) -> None:
        """Bring back the context from before ``enter``."""

    def end(self, error: BaseException | None = None) -> None:
        """It is over, by ``error`` if there is one. Call it while entered."""


class _Timed:
    """Duration and outcome."""

    def __init__(self, level: int, where: Where) -> None:
        self._level = level
        self._where = where
        self._logger = logging.getLogger(where.module)
        self._began = 0

    def _finish(
        self, kind: str, name: str, error: BaseException | None, attributes: Mapping[str, Any], key: str
    ) -> None:
        failed = is_failure(error)
        level = max(self._level, logging.ERROR) if failed else self._level
        if not self._logger.isEnabledFor(level):
            return
        status = status_of(error)
        outcome = {f"{key}.status": status, "duration_ms": self.duration_ms()}
        info = (type(error), error, error.__traceback__) if failed and error is not None else None
        verb = "failed" if failed else "cancelled" if status == "cancelled" else "ended"
        emit(
            self._logger,
            level,
            f"{kind} {verb}: {name}",
            self._where,
            {**attributes, **outcome},
            exc_info=info,
        )

    def duration_ms(self) -> float:
        """Milliseconds since the start, to the microsecond."""
        return round((time.perf_counter_ns() - self._began) / 1e6, 3)


def is_failure(error: BaseException | None) -> bool:
    """Whether work that ended with ``error`` failed. To be cancelled, or closed early, is no failure."""
    return error is not None and not isinstance(error, (asyncio.CancelledError, GeneratorExit))


def status_of(error: BaseException | None) -> str:
    """``ok``, ``error`` or ``cancelled``."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "error" if is_failure(error) else "ok"


class Span(_Timed):
    """A span: ids under those of the span around it, a duration, a status, attributes.

    With a tracer provider of an OpenTelemetry SDK it is one of the SDK's spans. Without, its start
    and its end are log records with the event names ``span.start`` and ``span.end``. Used by
    one task or thread at a time.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        correlation_id: str | None,
        where: Where,
        *,
        level: int = logging.INFO,
        events: bool = True,
        kind: str = "INTERNAL",
    ) -> None:
        super().__init__(level, where)
        self.name = name
        self.attributes: dict[str, Any] = dict(attributes or {})
        #: Trace, span and correlation ids. Empty before the start.
        self.context = SpanContext()
        self._correlation_id = correlation_id
        self._events = events
        self._kind = kind
        self._parent_id = ""
        self._sdk: SdkSpan | None = None
        self._ended = False

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return self.context.trace_id

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return self.context.span_id

    @property
    def correlation_id(self) -> str:
        """Its own or that of the work around it; empty for none."""
        return self.context.correlation_id

    def set_attribute(self, name: str, value: Any) -> None:
        """Add an attribute, to be shown at the end."""
        self.attributes[name] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes, to be shown at the end."""
        self.attributes.update(attributes)

    def start(self) -> None:
        """Take ids and the time, and log the start."""
        parent = current_span()
        correlation = self._correlation_id
        if correlation is None:
            correlation = parent.correlation_id if parent is not None else ""
        tracer = find_tracer()
        if tracer is not None:
            attributes = {**self.attributes, **({"correlation_id": correlation} if correlation else {})}
            self._sdk = SdkSpan(tracer, self.name, attributes, parent, self._kind)
            self.context = self._sdk.context(correlation)
        elif parent is not None and parent.trace_id:
            self._parent_id = parent.span_id
            self.context = SpanContext(
                parent.trace_id, new_span_id(), parent.trace_flags, parent.tracestate, correlation
            )
        else:
            self.context = SpanContext(new_trace_id(), new_span_id(), correlation_id=correlation)
        self._began = time.perf_counter_ns()
        if self._events and self._sdk is None and self._logger.isEnabledFor(self._level):
            token = attach(self.context)
            try:
                emit(self._logger, self._level, f"span started: {self.name}", self._where, self._shown(START))
            finally:
                detach(token)

    def _shown(self, event: str) -> dict[str, Any]:
        found = {"event.name": event, "span.name": self.name, **self.attributes}
        if self._parent_id:
            found["span.parent_id"] = self._parent_id
        return found

    def enter(self) -> Any:
        """Make it the current span."""
        own = attach(self.context)
        return own, self._sdk.attach() if self._sdk is not None else None

    def leave(self, token: Any) -> None:
        """Bring back the span around it."""
        own, other = token
        if self._sdk is not None:
            self._sdk.detach(other)
        detach(own)

    def end(self, error: BaseException | None = None) -> None:
        """End it, once, and log the end. ``error`` is only looked at."""
        if self._ended:
            return
        self._ended = True
        if self._sdk is not None:
            self._sdk.end(self.attributes, error, is_failure=is_failure(error))
        elif self._events:
            self._finish("span", self.name, error, self._shown(END), "span")


class Call(_Timed):
    """A call that is logged when it ends, without a span of its own."""

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, Any] | None,
        correlation_id: str | None,
        where: Where,
        *,
        level: int = logging.INFO,
    ) -> None:
        super().__init__(level, where)
        self.name = name
        self.attributes: dict[str, Any] = dict(attributes or {})
        self._correlation_id = correlation_id

    def start(self) -> None:
        """Take the time, and log the start for those who look closely."""
        self._began = time.perf_counter_ns()
        if self._logger.isEnabledFor(logging.DEBUG):
            token = self.enter()
            try:
                attributes = {**self.attributes, "event.name": "call.start", "call.name": self.name}
                emit(self._logger, logging.DEBUG, f"call started: {self.name}", self._where, attributes)
            finally:
                self.leave(token)

    def enter(self) -> Any:
        """Make its correlation id the current one."""
        if self._correlation_id is None:
            return None
        around = current_context()
        return attach(replace(around or SpanContext(), correlation_id=self._correlation_id))

    def leave(self, token: Any) -> None:
        """Bring back the context from before."""
        if token is not None:
            detach(token)

    def end(self, error: BaseException | None = None) -> None:
        """Log the end."""
        attributes = {**self.attributes, "event.name": "call.end", "call.name": self.name}
        self._finish("call", self.name, error, attributes, "call")
