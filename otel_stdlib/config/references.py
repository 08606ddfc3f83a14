"""What a ``dictConfig`` document names: formatters, filters, handlers, levels, classes."""

from __future__ import annotations

import inspect
import logging.handlers
from collections.abc import Generator, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from otel_stdlib.config.converted import Converted, is_reference
from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.trial import our_class
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
_QUEUE = "OTelQueueHandler"


def check_references(document: Document, converted: Converted | None = None) -> list[Problem]:
    """Every name in the document that leads nowhere. Levels are written as ``dictConfig`` takes them."""
    return list(_Checker(document, converted or Converted(document)).problems())


class _Checker:
    def __init__(self, document: Document, converted: Converted) -> None:
        self._document = document
        self._converted = converted
        self._names_of = {
            name: converted.section(name) or {} for name in ("formatters", "filters", "handlers", "loggers")
        }

    def problems(self) -> Iterator[Problem]:
        for key in self._document.value:
            # dictConfig ignores what it does not know; "handler:" for "handlers:" is not meant so.
            near = get_close_matches(str(key), _TOP, 1, 0.8) if key not in _TOP else []
            if near:
                yield self._problem((key,), f"unknown section {key!r}; did you mean {near[0]!r}?")
        for name in self._names_of["handlers"]:
            yield from self._handler(name)
        for section in ("formatters", "filters"):
            for name in self._names_of[section]:
                entry = self._converted.entry((section, name))
                if entry is not None:
                    yield from self._factory((section, str(name)), entry)
        for name in self._names_of["loggers"]:
            yield from self._logger(("loggers", name))
        yield from self._logger(("root",))
        yield from self._converted.problems

    def _problem(self, path: Path, message: str) -> Problem:
        return self._document.problem(path, message)

    def _handler(self, name: str) -> Iterator[Problem]:
        path: Path = ("handlers", str(name))
        handler = self._converted.entry(("handlers", name))
        if handler is None:
            return
        yield from self._level(path, handler)
        if self._converted.is_incremental:
            if name not in logging._handlers:  # type: ignore[attr-defined]
                known = nearest(name, map(str, logging._handlers))  # type: ignore[attr-defined]
                yield self._problem(path, f"there is no handler {name!r} whose level could be set{known}")
            return
        if "class" not in handler and "()" not in handler:
            yield self._problem(path, "needs a 'class' or '()'")
        factory = yield from self._factory(path, handler)
        formatter = self._converted.get(path, handler, "formatter")
        formatters = self._names_of["formatters"]
        if isinstance(formatter, str) and formatter and formatter not in formatters:
            message = (
                f"names the formatter {formatter!r}, which is not configured{_near(formatter, formatters)}"
            )
            yield self._problem((*path, "formatter"), message)
        yield from self._names(path, handler, "filters", "filter")
        if getattr(factory, "__name__", "") == _QUEUE:
            yield from self._names(path, handler, "handlers", "handler")
            given = self._converted.get(path, handler, "handlers")
            if isinstance(given, list) and name in given:
                message = f"names {name!r} itself: its records would come back to it for ever"
                yield self._problem((*path, "handlers", given.index(name)), message)

    def _logger(self, path: Path) -> Iterator[Problem]:
        logger = self._converted.entry(path)
        if logger is not None:
            yield from self._level(path, logger)
            if not self._converted.is_incremental:
                yield from self._names(path, logger, "filters", "filter")
                yield from self._dropping(path, logger)
                yield from self._names(path, logger, "handlers", "handler")

    def _dropping(self, path: Path, logger: dict[str, Any]) -> Iterator[Problem]:
        """Filters of this package that drop records, on a logger."""
        given = self._converted.get(path, logger, "filters")
        for index, name in enumerate(given if isinstance(given, (list, tuple)) else ()):
            entry = self._converted.entry(("filters", name)) if name in self._names_of["filters"] else None
            kind = None if entry is None else our_class(self._converted, ("filters", str(name)), entry)
            if getattr(kind, "decides", False) is True:
                message = (
                    f"names the filter {name!r}, which drops records: on a logger it does not see those of the "
                    "loggers below; name it in 'filters' of a handler"
                )
                yield self._problem((*path, "filters", index), message)

    def _level(self, path: Path, entry: dict[str, Any]) -> Iterator[Problem]:
        level = self._converted.get(path, entry, "level")
        if level is None:
            return
        raw = self._document.at((*path, "level"))
        try:
            checked = check_level(level)
            if raw is level:
                self._document.at(path)["level"] = checked
            else:  # from elsewhere: it stays as it is, and dictConfig is stricter
                logging._checkLevel(level)  # type: ignore[attr-defined]
        except (ConfigError, TypeError, ValueError) as error:
            yield self._problem((*path, "level"), str(error))

    def _names(self, path: Path, entry: dict[str, Any], key: str, what: str) -> Iterator[Problem]:
        known = self._names_of[f"{what}s"]
        given = self._converted.get(path, entry, key)
        if isinstance(given, str) or not isinstance(given, Iterable):
            return  # the schema has said so
        for index, name in enumerate(given):
            if isinstance(name, str) and not is_reference(name) and name not in known:
                message = f"names the {what} {name!r}, which is not configured{_near(name, known)}"
                yield self._problem((*path, key, index), message)

    def _factory(self, path: Path, entry: dict[str, Any]) -> Generator[Problem, None, Any]:
        """What is wrong with the class; the generator returns it, None where it leads nowhere."""
        factory: Any = None
        for key in ("()", "class"):
            target = self._converted.get(path, entry, key)
            if target is None:
                continue
            found = target
            if isinstance(target, str):
                try:
                    found = self._converted.resolve(target)
                except ConfigError as error:
                    yield self._problem((*path, key), str(error))
                    continue
            if not callable(found):
                yield self._problem((*path, key), f"{target!r} is not a class but {type(found).__name__}")
                continue
            factory = factory or found
            if path[0] == "handlers":
                for name, known in _unknown_arguments(found, entry):
                    yield self._problem((*path, name), f"unknown option {name!r}{nearest(name, known)}")
        return factory


def _near(name: str, known: Mapping[Any, Any]) -> str:
    return nearest(name, map(str, known))


def _unknown_arguments(factory: Any, entry: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The options that a handler's constructor does not have, each with those that it has."""
    try:
        # A decorator of another package may take more than what it decorates.
        is_ours = f"{getattr(factory, '__module__', '')}.".startswith("otel_stdlib.")
        parameters = inspect.signature(factory, follow_wrapped=is_ours).parameters.values()
    except (TypeError, ValueError):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if isinstance(factory, type) and issubclass(factory, logging.handlers.QueueHandler):
        known += [name for name in _QUEUE_KEYS if name not in known]
    for name in entry:
        if name == "stream" and "strm" in known:
            continue  # dictConfig tries the old name too
        if name not in known and name not in _HANDLER_KEYS:
            yield str(name), known
