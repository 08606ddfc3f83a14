"""What every handler of this package is: a ``logging.Handler`` in front of a spool and a destination."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from otel_stdlib.delivery.accept import Accept, AtLeast
from otel_stdlib.delivery.contract import Destination
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.filtering import WatchedFilters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.options import check_seconds
from otel_stdlib.handlers.attachment import Attachment, is_attached
from otel_stdlib.handlers.filtered import Filtered
from otel_stdlib.pipeline.outlet import Outlet
from otel_stdlib.pipeline.pipeline import Pipeline
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.resource import package_version
from otel_stdlib.record.resource_options import ResourceOptions
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["DestinationHandler", "EncodingHandler"]


class EncodingHandler(Filtered):
    """What the queue handler and the destinations' handlers share: a pipeline, and a log call without a lock.

    The standard library calls ``flush`` and ``close`` with the handler's lock held, and a log call
    must not wait for them. For that reason ``handle`` takes no lock, and both only seal and signal;
    waiting is for ``flush(timeout)`` and ``stop``.
    """

    #: Whether a log call raises when its record cannot be stored (``durability: record``).
    _raises: bool

    def _build(
        self,
        kind: str,
        outlets: Callable[[], Sequence[Outlet]],
        spool: SpoolOptions | Mapping[str, Any] | None,
        *,
        respect_level: bool,
        shutdown_timeout: object,
        described: ResourceOptions,
        redaction: object,
        filters: bool = False,
    ) -> None:
        """Make the pipeline. Called before ``super().__init__``: see ``createLock``.

        Raises:
            ConfigError: an option is wrong; the message quotes it.
        """
        options = SpoolOptions.of(spool)
        package_version()  # found now: looking for it imports, which the first log call must not do
        self._raises = options.durability == "record"
        self._described = described
        self.pipeline = Pipeline(
            kind,
            self.record_formatter,
            outlets,
            options,
            respect_level=respect_level,
            filters=filters,
            shutdown_timeout=check_seconds("shutdown_timeout", shutdown_timeout, 0),
        )
        self.pipeline.redact(redaction)
        self._attachment = Attachment(self)
        self.pipeline.watch = self._attachment.look

    def createLock(self) -> None:
        """Make the handler's lock, once.

        The standard library registers a handler before it has its lock, and ``logging.shutdown``
        in another thread then takes a lock that is not there or gives back another one.
        A class that inherits this makes the lock, and whatever ``flush`` and ``close`` need,
        before it calls ``super().__init__``.
        """
        if getattr(self, "lock", None) is None:
            super().createLock()

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and log one record. Any thread; never raises, never waits."""
        if self.filters:
            try:
                if self.filters != self._tested:
                    self._prepare_filters()
                for test, dropped in self._tests:
                    kept = test(record)
                    if kept is not True:
                        if not kept:
                            dropped(record)
                            return False
                        if isinstance(kept, logging.LogRecord):
                            record = kept
            except Exception:
                # Closed, not open: a filter that hides secrets is the usual one.
                self.pipeline.count_filter_error(record)
                return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Put one record into the spool."""
        try:
            self.pipeline.log(record)
        except Exception:
            if self._raises:
                raise
            self.pipeline.count_error(record)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Report an error of a log call as the standard library does, but never raise, as it can at the end.

        It prints the message and its arguments: not with ``redaction``.
        """
        try:
            if self.pipeline.redaction is None:
                super().handleError(record)
            else:
                kind = getattr(sys.exc_info()[0], "__name__", "error")
                say(
                    f"log-error:{kind}",
                    f"a record could not be stored: {kind} (its text is not shown: redaction)",
                )
        except Exception:
            return

    def start(self) -> None:
        """Start delivery now instead of with the first record: what a dead process left is sent."""
        self.pipeline.start()

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Wait up to ``timeout`` seconds until everything logged before is delivered to every destination.

        Without a timeout, as the standard library calls it, it returns at once.
        """
        self.flush_filters()
        return True if timeout is None else self.pipeline.flush(timeout)

    def close(self) -> None:
        """Seal and signal: what was logged is delivered in the background. Never waits."""
        self.flush_filters()
        self._attachment.closed()
        self.pipeline.close_soon()
        super().close()

    def stop(self, timeout: float | None = None) -> bool:
        """Deliver until the deadline and stop the threads; True when nothing is left."""
        self.flush_filters()
        return self.pipeline.stop(timeout)

    def health(self) -> dict[str, Any]:
        """The state of the spool and of its destinations: see ``docs/health.md``."""
        raise NotImplementedError


class DestinationHandler(EncodingHandler):
    """A handler that delivers to one destination, exactly once in effect, from a spool.

    Behind an ``OTelQueueHandler`` it is one of several outlets of that handler's spool.
    Attached straight to a logger it has a spool and a delivery thread of its own; a log call
    costs the same and never waits either way.

    Args:
        level: as for every handler.
        spool: options of the handler's own spool (``SpoolOptions`` or a mapping).
        shutdown_timeout: seconds that the end of the process waits for delivery.
        service_name: as for ``OTelQueueHandler``, and so are the next three; none of these options is used behind one.
        service_version: see above.
        resource: see above.
        redaction: see above.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    #: The kind of back end: the first part of its identity.
    kind: ClassVar[str] = ""
    #: What its destinations count, where they do; then it stands in ``health``.
    _counts: Counters | None = None

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        spool: SpoolOptions | Mapping[str, Any] | None = None,
        shutdown_timeout: float = 5.0,
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        redaction: bool | Mapping[str, Any] | None = None,
    ) -> None:
        self.createLock()
        self._build(
            self.kind,
            lambda: (self,),
            spool,
            respect_level=False,
            shutdown_timeout=shutdown_timeout,
            described=ResourceOptions.of(service_name, service_version, resource),
            redaction=redaction,
        )
        #: What the spool in front of it promises: its own, or the queue handler's.
        self.durability = self.pipeline.options.durability
        super().__init__(level)

    def __setattr__(self, name: str, value: object) -> None:
        # ``addFilter`` changes the list in place and is noticed; another list in its place is too.
        former = self.__dict__.get("filters") if name == "filters" else None
        super().__setattr__(name, former.renewed(value) if isinstance(former, WatchedFilters) else value)

    # -- an outlet --------------------------------------------------------------------

    @property
    def outlet_name(self) -> str:
        """The handler's name, else its kind."""
        return self.name or self.kind

    @property
    def identity(self) -> Identity:
        """What the destination is across processes and restarts."""
        raise NotImplementedError

    @property
    def policy(self) -> DeliveryPolicy:
        """How it is delivered to."""
        return DeliveryPolicy()

    @property
    def filterer(self) -> logging.Filterer:
        """The handler itself: its filters run in the log call, behind a queue handler too."""
        return self

    @property
    def reads_template(self) -> bool:
        """Whether a formatter of another kind makes its lines, which may read a record's ``args``."""
        formatter = self.formatter
        return formatter is not None and not isinstance(formatter, OTelFormatter)

    def make_destination(self) -> Destination:
        """A new destination, made once in every process that logs."""
        raise NotImplementedError

    def make_fallback(self) -> tuple[Destination, float] | None:
        """None: what waits for it is written nowhere else."""
        return None

    def make_accept(self, respect_level: bool) -> Accept | None:
        """The test that a frame must pass: this handler's level, when it counts here."""
        return AtLeast(self) if respect_level else None

    @property
    def describes_resource(self) -> bool:
        """Whether it was given ``service_name``, ``service_version`` or ``resource``."""
        return bool(self._described)

    def use_default_formatter(self, formatter: OTelFormatter) -> None:
        """Take the queue handler's formatter when this handler has none of its own."""
        self._default_formatter = formatter

    # -- a handler ---------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """The state of its own spool and destination: see ``docs/health.md``."""
        report = {
            "name": self.outlet_name,
            "kind": self.kind,
            "attached": is_attached(self),
            **self.pipeline.snapshot(),
        }
        if self._counts is not None:
            report["counts"] = dict(self._counts.snapshot())
        return report

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.outlet_name} ({logging.getLevelName(self.level)})>"
