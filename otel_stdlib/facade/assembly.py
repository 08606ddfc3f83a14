"""From settings to handlers: the queue handler and what is behind it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.registry import BUILT_IN, find_backend
from otel_stdlib.config.translate import DEFAULT_LOG_FILE, BackendSpec, LoggerSettings
from otel_stdlib.facade.console import ConsoleHandler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.custom import BackendHandler
from otel_stdlib.handlers.network import NetworkHandler
from otel_stdlib.queue.handler import OTelQueueHandler
from otel_stdlib.record.formatter import OTelFormatter

__all__ = ["Assembly", "assemble", "structure"]

#: How long a back end is away before what waits for it is also written where people can read it.
_FALLBACK_AFTER = 10.0


@dataclass
class Assembly:
    """Handlers that are made and not started yet."""

    queue: OTelQueueHandler
    #: By name, what is behind the queue handler.
    backends: dict[str, logging.Handler]
    #: By name, what kind of back end it is.
    kinds: dict[str, str]
    #: The backends that cannot be made as they are configured: name, and what is wrong.
    problems: list[tuple[str, Problem]] = field(default_factory=list)

    def start(self) -> None:
        """Begin delivery, of what dead processes left too."""
        self.queue.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Deliver until the deadline and close everything; True when nothing is left."""
        done = self.queue.pipeline.stop(timeout, report=True)
        for handler in (self.queue, *self.backends.values()):
            handler.close()
        return done

    def retire(self, successor: Assembly) -> None:
        """Let the background deliver the rest; what still comes goes to ``successor``. Never waits."""
        self.queue.pipeline.hand_over(successor.queue.pipeline)
        self.queue.close()

    @property
    def is_delivering(self) -> bool:
        """Whether it has threads that deliver."""
        status = self.queue.pipeline.snapshot()
        return status["state"] != "idle" or bool(status["retiring"])


def structure(settings: LoggerSettings) -> tuple[Any, ...]:
    """What of the settings needs new handlers when it changes. Levels do not."""
    return (
        settings.service_name,
        settings.service_version,
        settings.enable_console,
        [(spec.type, dict(spec.config), spec.name) for spec in settings.backends],
        dict(settings.resource),
        dict(settings.attributes),
        settings.spool,
        settings.shutdown_timeout,
        settings.drain_on_sigterm,
        settings.redaction,
    )


def assemble(settings: LoggerSettings, document: Document) -> Assembly:
    """Make the handlers. A back end that cannot be made is left out, or the file stands in for it.

    Nothing is started, opened or connected.
    """
    service = settings.service_name or os.environ.get("OTEL_SERVICE_NAME") or "app"
    backends: dict[str, logging.Handler] = {}
    kinds: dict[str, str] = {}
    problems: list[tuple[str, Problem]] = []
    for spec in settings.backends:
        name = _free_name(spec.name or spec.type, backends)
        try:
            handler = make_backend(spec, service, name)
        except Exception as error:
            problems.append((name, _problem(document, spec.path, error)))
            continue
        handler.name = name
        backends[name], kinds[name] = handler, spec.type
    if "filesystem" not in kinds.values() and (problems or not backends):
        _add_default_file(service, backends, kinds, problems, document)
    # With no back end at all, people at least see their records.
    if settings.enable_console or not backends:
        backends["console"], kinds["console"] = ConsoleHandler(), "console"
        backends["console"].name = "console"
    queue = OTelQueueHandler(
        handlers=list(backends.values()),
        spool=settings.spool,
        shutdown_timeout=settings.shutdown_timeout,
        drain_on_sigterm=settings.drain_on_sigterm,
        redaction=settings.redaction,
    )
    queue.name = "otel_stdlib"
    queue.setFormatter(
        OTelFormatter(
            service_name=settings.service_name,
            service_version=settings.service_version,
            resource=settings.resource or None,
            static_attributes=settings.attributes or None,
        )
    )
    return Assembly(queue, backends, kinds, problems)


def _add_default_file(
    service: str,
    backends: dict[str, logging.Handler],
    kinds: dict[str, str],
    problems: list[tuple[str, Problem]],
    document: Document,
) -> None:
    name = _free_name("filesystem", backends)
    try:
        handler = make_backend(BackendSpec("filesystem"), service, name)
    except Exception as error:
        problems.append((name, _problem(document, (), error)))
        return
    handler.name = name
    backends[name], kinds[name] = handler, "filesystem"


def _free_name(wanted: str, taken: Mapping[str, object]) -> str:
    # A name goes into thread names and reports: a dotted path is shortened to its class.
    name = base = wanted.rpartition(":")[2].rpartition(".")[2] or wanted
    number = 2
    while name in taken or name == "console":
        name, number = f"{base}-{number}", number + 1
    return name


def make_backend(spec: BackendSpec, service: str, name: str) -> logging.Handler:
    """The handler of one back end; ``name`` is no other one's, and so is its fallback file.

    Raises:
        ConfigError: its options are wrong.
    """
    found = find_backend(spec.type)
    config = dict(spec.config)
    if spec.type == "filesystem" and not {"filename", "log_file"} & config.keys():
        config["log_file"] = default_file(service)
    if issubclass(found, DestinationHandler):
        if issubclass(found, NetworkHandler) and spec.type in BUILT_IN:
            folder, file = os.path.split(default_file(service))
            config.setdefault(
                "fallback",
                {
                    "filename": os.path.join(folder, f"fallback-{_file_part(name)}-{file}"),
                    "after": _FALLBACK_AFTER,
                },
            )
        handler: logging.Handler = found(level=spec.level, **config)
    elif issubclass(found, logging.Handler):
        handler = found(**config)
        handler.setLevel(spec.level)
    else:
        handler = BackendHandler(found, config, spec.level)
    return handler


def default_file(service: str) -> str:
    """The file of a service that names none: a name that is no path, in ``./logs``."""
    return DEFAULT_LOG_FILE.format(service=_safe(service).lstrip(".") or "app")


def _file_part(name: str) -> str:
    """``name`` as a part of a file's name that no other name gives."""
    return "".join(c if c.isalnum() or c in "-_." else quote(c, safe="") for c in name)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _problem(document: Document, path: Path, error: Exception) -> Problem:
    """A back end's error with its place in the document."""
    if isinstance(error, ConfigError):
        if error.option is not None and (*path, "config", error.option) in document.places:
            path = (*path, "config", error.option)
        return document.problem(path, str(error))
    return document.problem(path, f"{type(error).__name__}: {error}")
