"""The seed's ``logger:`` document as settings that a pipeline is made from."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_stdlib.config.check import check_schema, in_order, is_under
from otel_stdlib.config.document import Document, read_yaml, wrap_mapping
from otel_stdlib.config.errors import ConfigFileError, Path, Place, Problem
from otel_stdlib.config.registry import backend_names, built_in_name, find_backend
from otel_stdlib.config.variables import Environment, expand
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.levels import check_level
from otel_stdlib.facts.options import nearest
from otel_stdlib.facts.secrets import mask
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["DEFAULT_LOG_FILE", "BackendSpec", "LoggerSettings", "load_settings", "translate"]

DEFAULT_LOG_FILE = "./logs/{service}.jsonl"
_ROOT: Path = ("logger",)


@dataclass(frozen=True)
class BackendSpec:
    """One back end: what it is and its options, variables put in."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    name: str | None = None
    level: int | str = logging.NOTSET
    #: Where it stands in its document.
    path: Path = field(default=(), compare=False)

    def __repr__(self) -> str:
        return f"BackendSpec({self.type!r}, {mask(self.config)!r}, name={self.name!r}, level={self.level!r})"


@dataclass(frozen=True)
class LoggerSettings:
    """What ``configure_logger`` makes a pipeline from."""

    service_name: str | None = None
    service_version: str | None = None
    log_level: int | str = "INFO"
    enable_console: bool = False
    backends: tuple[BackendSpec, ...] = ()
    #: More resource attributes.
    resource: Mapping[str, Any] = field(default_factory=dict)
    #: Attributes of every record.
    attributes: Mapping[str, Any] = field(default_factory=dict)
    #: Levels of single loggers.
    levels: Mapping[str, int | str] = field(default_factory=dict)
    spool: SpoolOptions = field(default_factory=SpoolOptions)
    shutdown_timeout: float = 5.0
    #: Deliver what waits when SIGTERM kills the process.
    drain_on_sigterm: bool = False
    #: Mask secrets before anything is stored: True, or a mapping of options.
    redaction: bool | Mapping[str, Any] = field(default=False, repr=False)
    #: Look at the file every ``reload_interval`` seconds and load it again when it changes.
    watch: bool = False
    reload_interval: float = 1.0
    #: A signal's name that loads the file again, for example ``SIGHUP``.
    reload_signal: str | None = None


def load_settings(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: Mapping[str, Any] | None = None,
    strict: bool = True,
    environ: Mapping[str, str] | None = None,
) -> tuple[LoggerSettings, list[Problem], Document]:
    """Settings from a file or a mapping, what is wrong with it, and the document.

    With ``strict`` anything wrong is an error. Without it the wrong parts are left out: an
    option keeps its default, and a back end is left out whole. ``overrides`` are options that
    stand in place of those under ``logger:``.

    Raises:
        ConfigFileError: something is wrong (``strict``), or the file is no configuration at all.
        MissingExtraError: ``strict``, and the validator is not installed.
    """
    if isinstance(source, Mapping):
        document = wrap_mapping(source)
        folders: tuple[str, ...] = (os.getcwd(),)
    else:
        document = read_yaml(source)
        folders = (os.path.dirname(os.path.abspath(source)), os.getcwd())
    if overrides:
        _override(document, overrides)
    problems = expand(document, Environment(environ, folders))
    unset = [problem.path for problem in problems]
    found = check_schema(document, "document", required=strict)
    problems += [problem for problem in found if problem.path not in unset]
    settings, more = translate(document, problems)
    problems = in_order(problems + more)
    if strict and problems:
        raise ConfigFileError(problems)
    return settings, problems, document


def _override(document: Document, overrides: Mapping[str, Any]) -> None:
    section = document.value.get("logger")
    given = wrap_mapping(overrides, "configure_logger").value
    document.value["logger"] = {**(section if isinstance(section, dict) else {}), **given}
    for path in [path for path in document.places if path[:1] == _ROOT and path[1:2] and path[1] in given]:
        del document.places[path]
        document.plain.discard(path)
    for name in given:
        document.places["logger", name] = Place("configure_logger")


def translate(document: Document, problems: list[Problem]) -> tuple[LoggerSettings, list[Problem]]:
    """Settings from a checked document; what ``problems`` point at is left out. And what else is wrong."""
    section = document.value.get("logger")
    if not isinstance(section, dict):
        wrong = [] if problems else [document.problem((), "needs a mapping under 'logger:'")]
        return LoggerSettings(), wrong
    reader = _Reader(document, section, problems)
    settings = reader.settings()
    return settings, reader.more


class _Reader:
    """Takes a section apart. ``more`` are the problems that the schema cannot see."""

    def __init__(self, document: Document, section: dict[str, Any], problems: list[Problem]) -> None:
        self._document = document
        self._section = section
        self._problems = problems
        self.more: list[Problem] = []

    def settings(self) -> LoggerSettings:
        get = self._get
        version = get("service_version", (str, int, float), None)
        name = get("service_name", str, None)
        reload = get("reload", dict, {})
        return LoggerSettings(
            service_name=name or None,
            service_version=None if version is None else str(version),
            log_level=self._level((*_ROOT, "log_level"), self._section.get("log_level"), "INFO"),
            enable_console=get("enable_console", bool, False),
            backends=self._backends(),
            resource=get("resource", dict, {}),
            attributes=get("attributes", dict, {}),
            levels={
                logger: self._level((*_ROOT, "levels", logger), level, logging.NOTSET)
                for logger, level in get("levels", dict, {}).items()
            },
            spool=self._spool(),
            shutdown_timeout=float(get("shutdown_timeout", (int, float), 5.0)),
            drain_on_sigterm=get("drain_on_sigterm", bool, False),
            redaction=self._redaction(),
            watch=reload.get("watch", False) is True,
            reload_interval=_positive(reload.get("interval"), 1.0),
            reload_signal=self._signal(reload.get("signal")),
        )

    def _get(self, key: str, kind: type | tuple[type, ...], default: Any) -> Any:
        value = self._section.get(key)
        if value is None:
            return default
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        # The schema has said so already, where there is a validator.
        if not is_under((*_ROOT, key), self._problems):
            self._add((*_ROOT, key), f"has the wrong type: {type(value).__name__}")
        return default

    def _add(self, path: Path, message: str) -> None:
        self.more.append(self._document.problem(path, message))

    def _level(self, path: Path, value: object, default: int | str) -> int | str:
        if value is None or is_under(path, self._problems):
            return default
        try:
            return check_level(value)
        except ConfigError as error:
            self._add(path, str(error))
            return default

    def _signal(self, value: object) -> str | None:
        if value is None or is_under((*_ROOT, "reload", "signal"), self._problems):
            return None
        name = str(value).upper()
        name = name if name.startswith("SIG") else f"SIG{name}"
        if name not in signal.Signals.__members__:
            hint = nearest(name, ["SIGHUP", "SIGUSR1", "SIGUSR2"])
            self._add((*_ROOT, "reload", "signal"), f"there is no signal {value!r}{hint}")
            return None
        return name

    def _spool(self) -> SpoolOptions:
        path = (*_ROOT, "spool")
        given = self._section.get("spool")
        if given is None or is_under(path, self._problems):
            return SpoolOptions()
        try:
            return SpoolOptions.of(given)
        except ConfigError as error:
            where = (*path, error.option) if error.option and error.option != "spool" else path
            self._add(where, str(error))
            return SpoolOptions()

    def _redaction(self) -> bool | Mapping[str, Any]:
        path = (*_ROOT, "redaction")
        given = self._section.get("redaction")
        if given is None or given is False:
            return False
        if is_under(path, self._problems):
            return True  # never off by mistake: the defaults stand in for what is wrong
        from otel_stdlib.redaction.options import Redaction  # compiles its rules, where they are used only

        try:
            Redaction.of(given)
        except ConfigError as error:
            where = (*path, error.option) if error.option and error.option != "redaction" else path
            self._add(where, str(error))
            return True
        return True if given is True else dict(given)

    def _backends(self) -> tuple[BackendSpec, ...]:
        found = []
        given = self._section.get("backends")
        for index, entry in enumerate(given if isinstance(given, list) else ()):
            path = (*_ROOT, "backends", index)
            if isinstance(entry, dict) and entry.get("enabled", True) is not False:
                spec = self._backend(entry, path)
                if spec is not None:
                    found.append(spec)
        return tuple(found)

    def _backend(self, entry: dict[str, Any], path: Path) -> BackendSpec | None:
        kind = entry.get("backend_type")
        if is_under(path, self._problems) or not isinstance(kind, str):
            if not is_under(path, self._problems):
                self._add(path, f"needs a 'backend_type' (known: {', '.join(backend_names())})")
            return None
        try:
            # A built-in class is imported when it is made, so that a missing driver is said there.
            if built_in_name(kind) is None:
                find_backend(kind)
        except ConfigError as error:
            self._add((*path, "backend_type"), str(error))
            return None
        config = dict(entry.get("config") or {})
        level = self._level((*path, "level"), entry.get("level", config.pop("level", None)), logging.NOTSET)
        return BackendSpec(built_in_name(kind) or kind, config, entry.get("name"), level, path)


def _positive(value: object, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else default  # type: ignore[operator, arg-type]
