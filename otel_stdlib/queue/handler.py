"""``OTelQueueHandler``: a ``QueueHandler`` whose queue is the spool."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError, StateError
from otel_stdlib.facts.options import check_flag, only_known
from otel_stdlib.facts.unexpanded import warn_unexpanded
from otel_stdlib.handlers.attachment import is_attached
from otel_stdlib.handlers.base import DestinationHandler, EncodingHandler
from otel_stdlib.pipeline import sigterm
from otel_stdlib.pipeline.outlet import Outlet
from otel_stdlib.queue.listener import OTelQueueListener
from otel_stdlib.queue.resolve import HandlerList
from otel_stdlib.record import factory
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.resource_options import ResourceOptions
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["OTelQueueHandler", "SpoolQueue"]


class SpoolQueue:
    """What stands at ``handler.queue``: records put here go into the spool.

    Delivery threads read the spool; nothing is taken out by ``get``.
    """

    def __init__(self, handler: OTelQueueHandler) -> None:
        self.handler = handler

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Put one record into the spool. Never waits."""
        self.handler.pipeline.log(record)

    def put(self, record: logging.LogRecord, block: bool = True, timeout: float | None = None) -> None:
        """``put_nowait``."""
        self.put_nowait(record)

    def get(self, block: bool = True, timeout: float | None = None) -> logging.LogRecord:
        """Always an error: the spool is read by its delivery threads.

        Raises:
            StateError: always.
        """
        raise StateError("a spool's records are taken by its delivery threads, not by get()")

    get_nowait = get


class OTelQueueHandler(EncodingHandler, logging.handlers.QueueHandler):
    """Puts each record, encoded, into a crash-safe spool; the handlers behind it get it from there.

    In a YAML file for ``dictConfig``, the same on Python 3.10 to 3.15::

        queue:
          (): otel_stdlib.OTelQueueHandler
          handlers: [file, elasticsearch]

    Delivery starts with the first record of each process, or with ``start``. A log call never
    raises and never waits (``durability: record`` and ``overflow: block`` may, by choice).

    Args:
        queue: a queue of the standard library's kind makes this a plain ``QueueHandler``; left out, the
            queue is the spool. With ``handlers`` it is ignored with a warning.
        handlers: what is behind it: handlers, or names of handlers in the same ``dictConfig``.
        spool: ``SpoolOptions`` or a mapping of them.
        respect_handler_level: whether the level of a handler behind it counts.
        shutdown_timeout: seconds that the end of the process waits for delivery.
        service_name: ``service.name`` of the resource. It wins over the formatter's and over
            ``OTEL_SERVICE_NAME``; the default spool folder is named by it.
        service_version: ``service.version`` of the resource; it wins in the same way.
        resource: a mapping of ``include`` and ``exclude`` (lists of names or patterns, such as ``process.*``,
            of the detected attributes to keep or leave out) and ``attributes`` (more of them).
        redaction: mask secrets before anything is stored: True for the defaults, or a mapping of the options of
            ``otel_stdlib.redaction.Redaction``. See ``docs/redaction.md``.
        drain_on_sigterm: deliver what waits when SIGTERM kills the process, as its default does and as servers
            do that raise it again at their end. Only over that default, and only when made in the main thread.
        fast_records: make ``fast_log_record`` the process's record factory with the first record, unless the
            application has set one of its own. It stays when the handler is closed.
        listener: accepted because ``dictConfig`` knows the key, and ignored with a warning: the handler makes
            its own when ``listener`` is read.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    @only_known("unknown option {} of OTelQueueHandler")
    def __init__(
        self,
        queue: Any = None,
        *,
        handlers: Sequence[logging.Handler | str] = (),
        spool: SpoolOptions | Mapping[str, Any] | None = None,
        respect_handler_level: bool = True,
        shutdown_timeout: float = 5.0,
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        redaction: bool | Mapping[str, Any] | None = None,
        drain_on_sigterm: bool = False,
        fast_records: bool = False,
        listener: object = None,
    ) -> None:
        named = {"service_name": service_name, "service_version": service_version, "resource": resource}
        warn_unexpanded(type(self).__name__, {**named, "spool": spool})
        check_flag("respect_handler_level", respect_handler_level)
        check_flag("drain_on_sigterm", drain_on_sigterm)
        check_flag("fast_records", fast_records)
        self._fast_records = fast_records
        self._targets = HandlerList(handlers)
        self._listener: Any = None
        #: Options that Python 3.12's ``dictConfig`` drops under ``class:``.
        self.lost_options: tuple[str, ...] = ()
        self._build(
            "queue",
            self._outlets,
            spool,
            respect_level=respect_handler_level,
            filters=True,
            shutdown_timeout=shutdown_timeout,
            described=ResourceOptions.of(service_name, service_version, resource),
            redaction=redaction,
        )
        if queue is not None and not hasattr(queue, "put_nowait"):
            raise ConfigError(f"option 'queue' must be a queue, not {queue!r}", option="queue")
        if listener is not None:
            _no_effect("listener", "the handler makes its own")
        if queue is not None and self._targets:
            _no_effect("queue", "with 'handlers', records go into the spool")
        if queue is not None and not self._targets and self.pipeline.redaction is not None:
            raise ConfigError(
                "option 'redaction' needs the spool: with a 'queue' of your own records are put there as they are; "
                "leave out 'queue', or set 'handlers'",
                option="redaction",
            )
        kind = type(self)
        #: Whether a subclass changed what the standard library lets it change.
        self._overridden = (
            kind.emit is not OTelQueueHandler.emit
            or kind.enqueue is not OTelQueueHandler.enqueue
            or kind.prepare is not OTelQueueHandler.prepare
        )
        self.createLock()
        super().__init__(SpoolQueue(self) if queue is None else queue)
        self.pipeline.drain_on_sigterm = drain_on_sigterm
        if drain_on_sigterm:
            sigterm.install()

    # -- the log call -------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """Put one record into the spool, or into the queue that was given."""
        try:
            if type(self.queue) is SpoolQueue and not self._overridden:
                self.pipeline.log(record)
            else:
                self.enqueue(self.prepare(record))
        except Exception:
            if self._raises:
                raise
            self.pipeline.count_error(record)
            self.handleError(record)

    def _uses_spool(self) -> bool:
        return type(self.queue) is SpoolQueue or bool(self._targets)

    def prepare(self, record: logging.LogRecord) -> Any:
        """The record as it is put: unchanged for the spool, the standard library's way otherwise."""
        return record if self._uses_spool() else super().prepare(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put one prepared record."""
        if self._uses_spool():
            self.pipeline.log(record)
        else:
            super().enqueue(record)

    # -- what is behind it ----------------------------------------------------------------

    @property
    def handlers(self) -> list[logging.Handler]:
        """The handlers behind it, names resolved."""
        return self._targets.handlers()

    def set_handlers(self, handlers: Sequence[logging.Handler | str], respect_handler_level: bool) -> None:
        """Put other handlers behind it; what was logged before goes to the former ones."""
        self._targets = HandlerList(handlers)
        self.pipeline.respect_level = respect_handler_level
        self.pipeline.close_soon()

    def _outlets(self) -> list[Outlet]:
        formatter = self.record_formatter()
        if self._fast_records:
            factory.install()
        outlets = self._targets.outlets()
        if not outlets:
            say(
                "no-handlers",
                "OTelQueueHandler has no handlers: records are kept in the spool and not delivered; set "
                "'handlers' to a list of handler names",
            )
        for outlet in outlets:
            if isinstance(outlet, DestinationHandler):
                outlet.use_default_formatter(formatter)
                if outlet.describes_resource:
                    say(
                        f"resource-behind:{outlet.outlet_name}",
                        f"handler {outlet.outlet_name!r} is behind OTelQueueHandler, so its service_name, "
                        "service_version and resource are not used: set them on OTelQueueHandler",
                    )
                if outlet.pipeline.redaction is not None:
                    say(
                        f"redaction-behind:{outlet.outlet_name}",
                        f"handler {outlet.outlet_name!r} is behind OTelQueueHandler, so its redaction is not used: "
                        "set it on OTelQueueHandler",
                    )
                outlet.durability = self.pipeline.options.durability
        return outlets

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Set the ``OTelFormatter`` that encodes; another kind belongs to a handler behind this one."""
        super().setFormatter(fmt)
        if fmt is not None and not isinstance(fmt, OTelFormatter) and not _is_default(fmt):
            say(
                "formatter",
                f"a {type(fmt).__name__} on OTelQueueHandler shapes nothing: set it on the handlers behind it",
            )
        self.pipeline.close_soon()

    @property
    def listener(self) -> Any:
        """The listener: starts and stops delivery. Made when first asked for."""
        if self._listener is None and hasattr(self, "queue") and self._uses_spool():
            self._listener = OTelQueueListener(self.queue)
            self._listener.bind(self)
        return self._listener

    @listener.setter
    def listener(self, value: Any) -> None:
        self._listener = value
        if value is None:
            return
        if getattr(value, "handlers", ()):
            self.set_handlers(list(value.handlers), bool(value.respect_handler_level))
        if isinstance(value, OTelQueueListener):
            value.bind(self)
        if sys.version_info[:2] == (3, 12):
            self._note_lost_options(sys._getframe(1))

    def _note_lost_options(self, frame: Any) -> None:
        # 3.12 calls the class with the queue alone; what else stood in the configuration is seen
        # only here, in its caller. The documented spelling, ``()``, does not come this way.
        if frame.f_code.co_name != "_configure_queue_handler":
            return
        known = {"queue", "listener", "handlers", "respect_handler_level"}
        self.lost_options = tuple(sorted(set(frame.f_locals.get("kwargs", ())) - known))
        if self.lost_options:
            say(
                "lost-options",
                "Python 3.12 drops these options of OTelQueueHandler under 'class:': "
                f"{', '.join(self.lost_options)}; write '(): otel_stdlib.OTelQueueHandler' instead",
            )

    def health(self) -> dict[str, Any]:
        """The state of the spool and of every destination: see ``docs/health.md``."""
        report = {"name": self.name or "queue", "attached": is_attached(self), **self.pipeline.snapshot()}
        if self.lost_options:
            report["lost_options"] = list(self.lost_options)
        return report


def _no_effect(option: str, reason: str) -> None:
    say(
        f"no-effect:{option}",
        f"option {option!r} of OTelQueueHandler has no effect and can be removed: {reason}",
    )


def _is_default(formatter: logging.Formatter) -> bool:
    """Whether it is the one that ``basicConfig`` sets where nobody asked for any."""
    return type(formatter) is logging.Formatter and formatter._fmt == logging.BASIC_FORMAT
