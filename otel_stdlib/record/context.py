"""The trace that work belongs to, in a ``contextvars`` variable of this package.

It serves programs without ``opentelemetry-api``. Where that package is imported and a valid
span is current, that span wins (``otel_stdlib.record.current``). A context is immutable and holds
the bytes that the encoder writes, so that a log call only copies them.

Context variables follow asyncio tasks by themselves; for threads and executors see
``wrap_context`` and ``ContextExecutor``.
"""

from __future__ import annotations

import contextvars
import functools
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

__all__ = [
    "ContextExecutor",
    "SpanContext",
    "attach",
    "current_context",
    "detach",
    "new_span_id",
    "new_trace_id",
    "wrap_context",
]

_T = TypeVar("_T")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def new_trace_id() -> str:
    """32 lower-case hex digits from the kernel: safe after any kind of fork."""
    value = os.urandom(16).hex()
    return value if value != _NO_TRACE else new_trace_id()


def new_span_id() -> str:
    """16 lower-case hex digits from the kernel: safe after any kind of fork."""
    value = os.urandom(8).hex()
    return value if value != _NO_SPAN else new_span_id()


@dataclass(frozen=True)
class SpanContext:
    """Where a record belongs: its trace, its span, its correlation id. Each may be empty.

    Ids are lower-case hex; ``trace_flags`` is the two hex digits of W3C Trace Context.
    """

    trace_id: str = ""
    span_id: str = ""
    trace_flags: str = "01"
    #: The W3C ``tracestate`` header as received, to be passed on.
    tracestate: str = ""
    correlation_id: str = ""
    #: True when the ids came from another process.
    is_remote: bool = False
    #: ``"trace_id":"…","span_id":"…","trace_flags":"01",`` or nothing without a trace.
    fragment: bytes = field(init=False, repr=False, compare=False)
    #: ``"correlation_id":"…",`` or nothing.
    attribute_fragment: bytes = field(init=False, repr=False, compare=False)
    #: What ``TraceContextFilter`` puts on a record.
    fields: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "fragment", trace_fragment(self.trace_id, self.span_id, self.trace_flags))
        set_field(self, "attribute_fragment", correlation_fragment(self.correlation_id))
        trace = self.trace_id
        set_field(
            self,
            "fields",
            {
                "trace_id": trace,
                "span_id": self.span_id if trace else "",
                "trace_flags": self.trace_flags if trace else "",
                "correlation_id": self.correlation_id,
            },
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return SpanContext, (
            self.trace_id,
            self.span_id,
            self.trace_flags,
            self.tracestate,
            self.correlation_id,
            self.is_remote,
        )

    @property
    def is_valid(self) -> bool:
        """Whether there is a trace and a span to be a parent."""
        return bool(self.trace_id and self.span_id)


def trace_fragment(trace_id: str, span_id: str, trace_flags: str) -> bytes:
    """The trace's members of a line, each with its comma. A span without a trace is no trace."""
    if not trace_id:
        return b""
    members = {"trace_id": trace_id, "span_id": span_id, "trace_flags": trace_flags or "00"}
    if not span_id:
        del members["span_id"]
    return orjson.dumps(members)[1:-1] + b","


def correlation_fragment(correlation_id: str) -> bytes:
    """The correlation id as an attribute with its comma."""
    if not correlation_id:
        return b""
    text = correlation_id.encode("utf-8", "backslashreplace").decode("utf-8")
    return b'"correlation_id":' + orjson.dumps(text) + b","


#: Holds the context of the running task or thread.
CURRENT: contextvars.ContextVar[SpanContext | None] = contextvars.ContextVar(
    "otel_stdlib_context", default=None
)

#: The context of the running task or thread, or None.
current_context: Callable[[], SpanContext | None] = CURRENT.get
#: Make a context the current one; the token undoes it.
attach: Callable[[SpanContext | None], contextvars.Token[SpanContext | None]] = CURRENT.set


def detach(token: contextvars.Token[SpanContext | None]) -> None:
    """Bring back what was current before ``attach``.

    A token of another thread or task is ignored: a generator that is closed elsewhere must not
    break the one that closes it.
    """
    try:
        CURRENT.reset(token)
    except ValueError:
        return


def wrap_context(function: Callable[..., _T]) -> Callable[..., _T]:
    """``function`` bound to a copy of the caller's whole context, for a thread or a callback.

    Each call runs in its own copy, so calls may overlap and may not change each other.
    """
    captured = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> _T:
        return captured.copy().run(function, *args, **kwargs)

    return run


class ContextExecutor(Executor):
    """Any executor of threads, with the submitter's context in every task.

    Not for process pools: a context cannot be pickled. ``shutdown`` shuts the inner one down.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Submit ``fn`` under a copy of the present context."""
        return self._executor.submit(contextvars.copy_context().run, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the inner executor down."""
        self._executor.shutdown(wait=wait, cancel_futures=cancel_futures)
