"""The handler that users name in their configuration."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.unexpanded import warn_unexpanded
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.jsonl.destination import JSONLDestination
from otel_stdlib.handlers.jsonl.options import JSONLOptions
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.line import load_line
from otel_stdlib.record.otlp import unix_nanos
from otel_stdlib.record.rebuild import rebuild_record
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["JSONLFileHandler"]

_SYNCED = ("os", "record")
#: A line is visible within ``poll_interval``. A block costs about ten system calls, each of which gives
#: the GIL away and waits up to a switch interval to get it back beside a busy thread: so not small ones.
#: But what was joined should be checked and written while the processor's caches have it, from memory
#: that is not given back to the system each time: 8,000 records a block took twice the time each.
_POLICY = DeliveryPolicy(batch_records=2000, batch_bytes=1 << 20)


class JSONLFileHandler(DestinationHandler):
    """Writes each record as one line of JSON, once, into a file that several processes may share.

    Lines are whole and never doubled, through rotation and SIGKILL. With ``durability: os`` or
    ``record`` of the spool in front, blocks are synced before their records count as stored.

    Args:
        filename: the file, first as with ``logging.FileHandler``.
        level: as for every handler.
        spool: see ``DestinationHandler``.
        shutdown_timeout: see ``DestinationHandler``.
        service_name: see ``DestinationHandler``.
        service_version: see ``DestinationHandler``.
        resource: see ``DestinationHandler``.
        redaction: see ``DestinationHandler``.
        **options: the fields of ``JSONLOptions``: ``log_file`` (the same as ``filename``), ``max_bytes``,
            ``backup_count``, ``when``, ``interval``, ``utc``, ``compress``, ``mode``, ``fsync``, ``sidecar``.

    Raises:
        ConfigError: an option is unknown or wrong; the message quotes it.
    """

    kind: ClassVar[str] = "jsonl"

    def __init__(
        self,
        filename: str | os.PathLike[str] | None = None,
        *,
        level: int | str = logging.NOTSET,
        spool: SpoolOptions | Mapping[str, Any] | None = None,
        shutdown_timeout: float = 5.0,
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        redaction: bool | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if filename is not None:
            options["filename"] = filename
        named = {"service_name": service_name, "service_version": service_version, "resource": resource}
        warn_unexpanded(type(self).__name__, {**options, **named, "spool": spool})
        self.options = JSONLOptions.of(options)
        self._counts = Counters()
        super().__init__(
            level,
            spool=spool,
            shutdown_timeout=shutdown_timeout,
            service_name=service_name,
            service_version=service_version,
            resource=resource,
            redaction=redaction,
        )

    @property
    def identity(self) -> Identity:
        """The file's absolute path, links followed."""
        return Identity(self.kind, self.options.target)

    @property
    def policy(self) -> DeliveryPolicy:
        """Large blocks."""
        return _POLICY

    def make_destination(self) -> JSONLDestination:
        """A destination that has opened nothing yet."""
        options = self.options
        if self.durability in _SYNCED and not options.fsync:
            options = dataclasses.replace(options, fsync=True)
        return JSONLDestination(options, name=self.outlet_name, render=self._render(), counters=self._counts)

    def _render(self) -> Callable[[bytes, bytes, bytes], bytes] | None:
        formatter = self.record_formatter()
        plain = self.formatter
        if plain is not None and not isinstance(plain, OTelFormatter):
            # A formatter of the standard library's kind: it gets a rebuilt record.
            def render(payload: bytes, uid: bytes, resource: bytes) -> bytes:
                line = load_line(payload, uid, resource)
                level = logging.getLevelName(line.get("severity_text", ""))
                number = level if isinstance(level, int) else logging.INFO
                record = rebuild_record(line, number, unix_nanos(line["timestamp"]), foreign=True)
                return plain.format(record).replace("\n", "\\n").encode("utf-8", "replace")

            return render
        return None if formatter.is_plain else formatter.render
