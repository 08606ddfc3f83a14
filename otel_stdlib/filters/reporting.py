"""What the filters that log something themselves share: to whom, when, and one decision for each record."""

from __future__ import annotations

import contextvars
import logging
import os
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.endings import before_end
from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.native import ThreadLocal
from otel_stdlib.facts.summaries import Summary
from otel_stdlib.facts.threads import RLock, acquire, is_green, is_ours
from otel_stdlib.filters.suppressing import Suppressing
from otel_stdlib.filters.ticker import ticker
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.spool.place import choose_root, open_root
from otel_stdlib.spool.segment import Descriptor

__all__ = ["Home", "Origin", "Reporting"]

Decide = Callable[[logging.LogRecord], "bool | logging.LogRecord"]


#: Seconds that ``flush`` waits for a report on another thread.
_PATIENCE = 5.0


class Home(Protocol):
    """What a filter knows of the pipeline that it is in front of."""

    def log(self, record: logging.LogRecord) -> None:
        """Log a record of the filter's own."""

    def start(self) -> None:
        """Begin, as the first record does."""

    def line(self, record: logging.LogRecord) -> bytes:
        """A record as it would be stored."""

    def root(self) -> Descriptor | None:
        """The folder of spools, if there is one by now."""


class Origin(NamedTuple):
    """Where a record comes from: what a summary of it and others keeps, without its message and extras."""

    name: str
    levelno: int
    pathname: str
    lineno: int
    function: str | None
    created: float
    #: ``thread``, ``threadName``, ``process`` and ``processName``.
    runner: tuple[Any, Any, Any, Any]

    @classmethod
    def of(cls, record: logging.LogRecord) -> Origin:
        """That of a record."""
        runner = (record.thread, record.threadName, record.process, record.processName)
        return cls(
            record.name,
            record.levelno,
            record.pathname,
            record.lineno,
            record.funcName,
            record.created,
            runner,
        )

    def fields(self, message: str, args: tuple[Any, ...], extras: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a new record from there."""
        made = logging.LogRecord(
            self.name, self.levelno, self.pathname, self.lineno, message, args, None, self.function
        )
        fields = made.__dict__
        # Not those of the thread that reports: what that one logs is left out everywhere.
        names = ("thread", "threadName", "process", "processName")
        fields.update(zip(names, self.runner, strict=True))
        fields.update(extras)
        return fields


class Reporting(Suppressing):
    """A filter that reports what it has suppressed, in the stream that it was suppressed in.

    One record gets one decision, though it may pass through the filter for several handlers.
    """

    def __init__(self, rule: str, up_to: int | str) -> None:
        super().__init__(rule, up_to)
        self._lock = RLock()
        #: The handlers that have it, each with what logs a record there.
        self._owners: weakref.WeakKeyDictionary[Any, Home] = weakref.WeakKeyDictionary()
        #: Held while records are logged: who flushes waits for those on their way.
        self._emitting = RLock()
        self._shared = False
        self._late: list[tuple[dict[str, Any], Any]] = []
        self._is_set = False
        before_end(self)
        _forks.add(self)

    def bind(self, owner: Any, home: Home) -> None:
        """``owner``, a handler of this package or behind one, has this filter."""
        is_new = owner not in self._owners
        self._owners[owner] = home
        if is_new and not self._shared and (len(self._owners) > 1 or self._is_elsewhere(owner)):
            self._share()

    def filter(self, record: logging.LogRecord) -> Any:
        """Decide for a logger or a handler of another package, and count. Never raises."""
        if not self._shared:
            self._share()
        kept = super().filter(record)
        if self._late:
            self._emit_late()
        return kept

    def _share(self) -> None:
        self._shared = True
        self.decide = _once(self.decide)
        for owner in list(self._owners):
            if hasattr(owner, "forget_filters"):
                owner.forget_filters()

    def _is_elsewhere(self, owner: Any) -> bool:
        handlers = [reference() for reference in list(logging._handlerList)]  # type: ignore[attr-defined]
        return any(each is not None and each is not owner and self in each.filters for each in handlers)

    def set_due(self, seconds: float) -> None:
        """Ask for a report after so many seconds, unless one is asked for. Under the lock."""
        if not self._is_set:
            self._is_set = True
            ticker.set(self, monotonic() + seconds)

    def now(self) -> float:
        """The clock of what waits: monotonic seconds."""
        return monotonic()

    def hurry(self) -> None:
        """Ask for a report now. Under the lock."""
        self._is_set = True
        ticker.set(self, monotonic())

    def report(self, now: float) -> float | None:
        """Log what is due; when to ask again."""
        with self._emitting:
            with self._lock:
                self._is_set = False
            found, again = self.collect(self.now(), False)
            self.emit(found)
        if again is not None:
            with self._lock:
                self._is_set = True
        return again

    def flush(self) -> None:
        """Log what waits to be reported, due or not. Any thread; it waits for nothing but the handlers themselves."""
        if not acquire(self._emitting, monotonic() + _PATIENCE):
            return
        try:
            found, again = self.collect(self.now(), True)
            if again is None and self._is_set:
                with self._lock:
                    self._is_set = False
                ticker.clear(self)
            self.emit(found)
        finally:
            self._emitting.release()
        self._emit_late()

    def collect(self, now: float, everything: bool) -> tuple[list[dict[str, Any]], float | None]:
        """The fields of the records that are due, and when the next ones are. Pure but for the lock."""
        raise NotImplementedError

    def renew(self) -> None:
        """Start anew in a forked child, which reports nothing of its parent's."""
        self._lock, self._emitting = RLock(), RLock()
        self._is_set = False
        self._late = []

    def start_home(self) -> None:
        """Let the handlers that have this filter begin, as the record that is on its way there does."""
        for home in list(self._owners.values()):
            home.start()

    def spool_root(self) -> Descriptor | None:
        """The folder of spools of a handler that has this filter; without one, that of the environment's service."""
        if not self._owners:
            service = os.environ.get("OTEL_SERVICE_NAME") or "service"
            try:
                return open_root(choose_root(None, service))
            except SpoolUnavailable:
                return None
        roots = (home.root() for home in list(self._owners.values()))
        return next((root for root in roots if root is not None), None)

    def stored_line(self, record: logging.LogRecord) -> bytes:
        """A record as a handler that has this filter would store it, with what is secret in it masked."""
        if not self._owners:
            found = LineEncoder().encode(record)
            return b"" if found is None else found[0]
        lines = (home.line(record) for home in list(self._owners.values()))
        return next((line for line in lines if line), b"")

    # -- logging ---------------------------------------------------------------------------

    def emit(self, found: list[dict[str, Any]]) -> None:
        """Log records with these fields where this filter is."""
        for fields in found:
            # In a context of its own: the span that is current here has nothing to do with it.
            contextvars.Context().run(self._emit_one, fields)

    def _emit_one(self, fields: dict[str, Any]) -> None:
        owners = list(self._owners.items())
        for owner, home in owners:
            _quietly(home.log, Summary.of(fields, owner))
        for other in self._others([owner for owner, _ in owners]):
            if is_green() and is_ours():
                # A greenlet's locks are of no use on this thread: the next log call emits it.
                self._late.append((fields, other))
            else:
                _quietly(other.handle, Summary.of(fields))

    def _emit_late(self) -> None:
        late, self._late = self._late, []
        for fields, other in late:
            _quietly(other.handle, Summary.of(fields))

    def _others(self, owners: list[Any]) -> Iterator[Any]:
        """Loggers, and handlers of other packages, that have this filter."""
        for reference in list(logging._handlerList):  # type: ignore[attr-defined]
            handler = reference()
            if handler is None or self not in handler.filters or hasattr(handler, "forget_filters"):
                continue
            if not any(handler is own for own in owners):
                yield handler
        loggers = list(logging.Logger.manager.loggerDict.values())
        for logger in (logging.getLogger(), *loggers):
            if isinstance(logger, logging.Logger) and self in logger.filters:
                yield logger


def _quietly(send: Callable[[Summary], object], record: Summary) -> None:
    try:
        send(record)
    except Exception:
        return


def _once(decide: Decide) -> Decide:
    """``decide``, but once for each record: a handler's copy of it has the same time, the very object."""
    here = ThreadLocal()

    def decide_once(record: logging.LogRecord) -> bool | logging.LogRecord:
        if isinstance(record, Summary):
            return decide(record)  # its time may be that of the last one
        try:
            created = record.created
            if here.created is created:
                kept: bool = here.kept
                return kept
        except AttributeError:
            created = getattr(record, "created", None)  # type: ignore[assignment]
        here.kept = kept = bool(decide(record))
        here.created = created
        return kept

    return decide_once


def _renew(each: Reporting) -> None:
    each.renew()


_forks = ForkRegistry(_renew)
