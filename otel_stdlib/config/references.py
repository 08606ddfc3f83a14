"""What a ``dictConfig`` document names: formatters, filters, handlers, levels, classes."""

from __future__ import annotations

import inspect
import logging.handlers
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.registry import import_path
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.levels import check_level
from otel_stdlib.facts.options import nearest

__all__ = ["check_references"]

_TOP = (
    "version",
    "incremental",
    "disable_existing_loggers",
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
)
#: What ``dictConfig`` takes out itself.
_HANDLER_KEYS = ("class", "()", "level", "formatter", "filters", ".")
_QUEUE_KEYS = ("queue", "listener", "handlers", "respect_handler_level")
_QUEUE = "otel_stdlib.OTelQueueHandler"


def check_references(document: Document) -> list[Problem]:
    """Every name in the document that leads nowhere."""
    return list(_Checker(document).problems())


class _Checker:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._value: Mapping[str, Any] = document.value

    def problems(self) -> Iterator[Problem]:
        for key in self._value:
            # dictConfig ignores what it does not know; "handler:" for "handlers:" is not meant so.
            near = get_close_matches(str(key), _TOP, 1, 0.8) if key not in _TOP else []
            if near:
                yield self._problem((key,), f"unknown section {key!r}; did you mean {near[0]!r}?")
        for name, handler in self._section("handlers").items():
            yield from self._handler(name, handler)
        for section in ("formatters", "filters"):
            for name, entry in self._section(section).items():
                if isinstance(entry, dict):
                    yield from self._factory((section, name), entry)
        for name, logger in self._section("loggers").items():
            yield from self._logger(("loggers", name), logger)
        if "root" in self._value:
            yield from self._logger(("root",), self._value["root"])

    def _problem(self, path: Path, message: str) -> Problem:
        return self._document.problem(path, message)

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self._value.get(name)
        return found if isinstance(found, dict) else {}

    def _handler(self, name: str, handler: Any) -> Iterator[Problem]:
        path: Path = ("handlers", name)
        if not isinstance(handler, dict):
            return
        yield from self._level(path, handler)
        if self._value.get("incremental") is True:
            return
        if "class" not in handler and "()" not in handler:
            yield self._problem(path, "needs a 'class' or '()'")
        yield from self._factory(path, handler)
        formatter = handler.get("formatter")
        if isinstance(formatter, str) and formatter not in self._section("formatters"):
            hint = nearest(formatter, self._section("formatters"))
            message = f"names the formatter {formatter!r}, which is not configured{hint}"
            yield self._problem((*path, "formatter"), message)
        yield from self._names(path, handler, "filters", "filter")
        if _QUEUE in (handler.get("()"), handler.get("class")):
            yield from self._names(path, handler, "handlers", "handler")
            given = handler.get("handlers")
            if isinstance(given, list) and name in given:
                message = f"names {name!r} itself: its records would come back to it for ever"
                yield self._problem((*path, "handlers", given.index(name)), message)

    def _logger(self, path: Path, logger: Any) -> Iterator[Problem]:
        if isinstance(logger, dict):
            yield from self._level(path, logger)
            if self._value.get("incremental") is not True:
                yield from self._names(path, logger, "filters", "filter")
                yield from self._names(path, logger, "handlers", "handler")

    def _level(self, path: Path, entry: dict[str, Any]) -> Iterator[Problem]:
        level = entry.get("level")
        if level is None or (isinstance(level, str) and level.startswith(("ext://", "cfg://"))):
            return
        try:
            entry["level"] = check_level(level)
        except ConfigError as error:
            yield self._problem((*path, "level"), str(error))

    def _names(self, path: Path, entry: dict[str, Any], key: str, what: str) -> Iterator[Problem]:
        known = self._section(f"{what}s")
        given = entry.get(key)
        for index, name in enumerate(given if isinstance(given, list) else ()):
            if isinstance(name, str) and not name.startswith("cfg://") and name not in known:
                message = f"names the {what} {name!r}, which is not configured{nearest(name, known)}"
                yield self._problem((*path, key, index), message)

    def _factory(self, path: Path, entry: dict[str, Any]) -> Iterator[Problem]:
        for key in ("()", "class"):
            target = entry.get(key)
            if not isinstance(target, str):
                continue
            try:
                found = import_path(target.removeprefix("ext://"))
            except ConfigError as error:
                yield self._problem((*path, key), str(error))
                continue
            if not callable(found):
                yield self._problem((*path, key), f"{target!r} is no class but {type(found).__name__}")
            elif path[0] == "handlers":
                for name, known in _unknown_arguments(found, entry):
                    yield self._problem((*path, name), f"unknown option {name!r}{nearest(name, known)}")


def _unknown_arguments(factory: Any, entry: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The options that a handler's constructor does not have, each with those that it has."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if isinstance(factory, type) and issubclass(factory, logging.handlers.QueueHandler):
        known += [name for name in _QUEUE_KEYS if name not in known]
    for name in entry:
        if name not in known and name not in _HANDLER_KEYS:
            yield name, known
