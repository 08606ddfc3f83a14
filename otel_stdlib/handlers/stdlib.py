"""Plain ``logging`` handlers behind the queue handler: each gets a rebuilt ``LogRecord``.

At least once: a handler that cannot tell what it stored gets the last batch again after a
kill; ``log.record.uid`` on the record tells doubles apart.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from otel_stdlib.delivery.contract import Batch, Destination, Frame, Identity, Origin, Outcome, Verdict
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.pipeline.outlet import Accept
from otel_stdlib.record.line import load_line
from otel_stdlib.record.rebuild import rebuild_record

__all__ = ["StdlibDestination", "StdlibOutlet"]

_STORED = Outcome(Verdict.STORED)


class StdlibOutlet:
    """One plain handler."""

    def __init__(self, handler: logging.Handler, index: int) -> None:
        self.handler = handler
        kind = f"{type(handler).__module__}.{type(handler).__qualname__}"
        target = getattr(handler, "baseFilename", "")
        self.outlet_name = handler.name or f"{type(handler).__name__}-{index}"
        self.identity = Identity("logging", f"{kind}:{handler.name or index}:{target}")
        self.policy = DeliveryPolicy()

    def make_destination(self) -> Destination:
        """The handler as a destination."""
        return StdlibDestination(self.outlet_name, self.identity, self.handler)

    def make_fallback(self) -> None:
        """None: it is on this machine."""

    def make_accept(self, respect_level: bool) -> Accept | None:
        """The handler's level, when it counts."""
        handler = self.handler
        if not respect_level:
            return None

        def accept(frame: Frame) -> bool:
            return frame.level >= handler.level

        return accept


class StdlibDestination:
    """Hands records to a plain handler, which filters and locks as it always does."""

    def __init__(self, name: str, identity: Identity, handler: logging.Handler) -> None:
        self.name = name
        self.identity = identity
        self._handler = handler

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
                self._handler.handle(rebuild_record(line, frame.level, frame.time_ns))
                outcomes.append(_STORED)
            except Exception as error:
                outcomes.append(Outcome(Verdict.REJECTED, f"{type(error).__name__}: {error}"))
        return outcomes

    def probe(self) -> None:
        """Nothing to ask."""

    def forget(self, origin: Origin) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """The handler is the application's: ``logging`` closes it."""
