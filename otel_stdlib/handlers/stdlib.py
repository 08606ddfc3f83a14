"""Plain ``logging`` handlers behind the queue handler: each gets a rebuilt ``LogRecord``.

At least once: a handler that cannot tell what it stored gets the last batch again after a
kill; ``log.record.uid`` on the record tells doubles apart.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Sequence

from otel_stdlib.delivery.accept import Accept, AtLeast
from otel_stdlib.delivery.contract import STORED, Batch, Destination, Origin, Outcome, Verdict
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.base import EncodingHandler
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.line import load_line
from otel_stdlib.record.rebuild import rebuild_record
from otel_stdlib.spool.envelope import Picked

__all__ = ["StdlibDestination", "StdlibOutlet"]

_STANDARD = ("logging", "logging.handlers")
#: Handlers of the standard library that hand on the record with all its fields.
_READS_ARGS = (logging.handlers.HTTPHandler, logging.handlers.MemoryHandler)


class StdlibOutlet:
    """One plain handler."""

    def __init__(self, handler: logging.Handler, index: int) -> None:
        self.handler = handler
        kind = f"{type(handler).__module__}.{type(handler).__qualname__}"
        target = getattr(handler, "baseFilename", "")
        self.outlet_name = handler.name or f"{type(handler).__name__}-{index}"
        self.identity = Identity("logging", f"{kind}:{handler.name or index}:{target}")
        self.policy = DeliveryPolicy()

    @property
    def filterer(self) -> logging.Filterer:
        """The handler: its filters run in the log call."""
        return self.handler

    @property
    def reads_template(self) -> bool:
        """Whether the handler or its formatter is none of those that are known to read the message only."""
        wanted = getattr(self.handler, "reads_template", None)
        if isinstance(wanted, bool):
            return wanted
        handler, formatter = type(self.handler), self.handler.formatter
        return (
            handler.__module__ not in _STANDARD
            or issubclass(handler, _READS_ARGS)
            or (formatter is not None and type(formatter) not in (logging.Formatter, OTelFormatter))
        )

    def make_destination(self) -> Destination:
        """The handler as a destination."""
        return StdlibDestination(self.outlet_name, self.identity, self.handler)

    def make_fallback(self) -> None:
        """None: it is on this machine."""

    def make_accept(self, respect_level: bool) -> Accept | None:
        """The handler's level, when it counts."""
        return AtLeast(self.handler) if respect_level else None


class StdlibDestination:
    """Hands records to a plain handler, which locks as it always does.

    Its filters have seen what was logged while it had any; other records they see here.
    """

    def __init__(self, name: str, identity: Identity, handler: logging.Handler) -> None:
        self.name = name
        self.identity = identity
        self._handler = handler
        # A ``handle`` of its own does more than filter and lock, and is always called.
        self._handles = type(handler).handle not in (logging.Handler.handle, EncodingHandler.handle)

    def open(self) -> None:
        """Nothing to connect."""

    def position(self, origin: Origin) -> int | None:
        """A plain handler cannot tell."""
        return None

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Hand over each record; one that the handler raises on is rejected, the others go on."""
        outcomes = []
        for frame in batch.frames:
            try:
                uid = batch.uid(frame)
                line = load_line(frame.payload, uid.encode("ascii"), batch.origin.resource)
                record = rebuild_record(line, frame.level, frame.time_ns, foreign=True)
                if self._handles or type(frame) is not Picked:
                    self._handler.handle(record)
                else:
                    self._emit(record)
                outcomes.append(STORED)
            except Exception as error:
                outcomes.append(Outcome(Verdict.REJECTED, f"{type(error).__name__}: {error}"))
        return outcomes

    def _emit(self, record: logging.LogRecord) -> None:
        self._handler.acquire()
        try:
            self._handler.emit(record)
        finally:
            self._handler.release()

    def probe(self) -> None:
        """Nothing to ask."""

    def forget(self, origin: Origin) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """The handler is the application's: ``logging`` closes it."""
