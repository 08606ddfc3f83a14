"""Handlers of a ``dictConfig`` document that would get a record twice, and options that do nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from otel_stdlib.config.converted import Converted
from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.trial import our_class

__all__ = ["find_doubles", "find_idle_options"]

#: What Python 3.12 passes on to a queue handler under ``class:``, and what ``dictConfig`` sets itself.
_KEPT_ON_3_12 = frozenset(
    {"class", "level", "formatter", "filters", ".", "queue", "listener", "handlers", "respect_handler_level"}
)
#: What filters that hide secrets are called.
_HIDES = re.compile(r"(?i)redact|scrub|censor|sanitis|sanitiz|mask")


def find_doubles(document: Document, converted: Converted) -> Iterator[Problem]:
    """Handlers that a record of some logger reaches on two ways."""
    behind = {name: names for name, _, names in _queue_handlers(converted)}
    own = _handlers_of_loggers(converted)
    told = set()
    for logger in own:
        ways: dict[str, Path] = {}
        for path, index, name in _on_the_way(logger, own):
            here: Path = (*path, "handlers", index)
            for reached in (name,) if name in ways else (name, *behind.get(name, ())):
                via = "" if reached == name else f" through {name!r}"
                if reached in ways and ways[reached] != here and (reached, here) not in told:
                    told.add((reached, here))
                    first = ways[reached]
                    yield document.problem(
                        here,
                        f"gives each record to the handler {reached!r}{via} a second time: "
                        f"{'.'.join(map(str, first[:-2]))} has it already. Remove one of the two"
                        + ("" if first[:-2] == path else ", or set 'propagate: false'"),
                    )
                ways.setdefault(reached, here)


def _queue_handlers(converted: Converted) -> Iterator[tuple[str, dict[Any, Any], list[str]]]:
    for name in converted.section("handlers") or ():
        entry = converted.entry(("handlers", name))
        kind = None if entry is None else our_class(converted, ("handlers", str(name)), entry)
        if entry is not None and getattr(kind, "__name__", "") == "OTelQueueHandler":
            yield str(name), entry, _names(converted, ("handlers", str(name)), entry)


def _names(converted: Converted, path: Path, entry: dict[Any, Any]) -> list[str]:
    given = converted.get(path, entry, "handlers")
    return [str(name) for name in given if isinstance(name, str)] if isinstance(given, (list, tuple)) else []


def _handlers_of_loggers(converted: Converted) -> dict[str, tuple[Path, bool, list[str]]]:
    """By a logger's name: its path, whether it passes records on, and its handlers. The root is ''."""
    found: dict[str, tuple[Path, bool, list[str]]] = {}
    paths: list[tuple[str, Path]] = [("", ("root",))]
    paths += [(str(name), ("loggers", str(name))) for name in converted.section("loggers") or ()]
    for name, path in paths:
        entry = converted.entry(path)
        if entry is not None:
            propagate = converted.get(path, entry, "propagate")
            found[name] = (path, propagate is None or bool(propagate), _names(converted, path, entry))
    return found


def _on_the_way(logger: str, own: dict[str, tuple[Path, bool, list[str]]]) -> Iterator[tuple[Path, int, str]]:
    while True:
        if logger in own:
            path, passes, names = own[logger]
            for index, name in enumerate(names):
                yield path, index, name
            if not passes:
                return
        if not logger:
            return
        logger = logger.rpartition(".")[0]


def _idle_redaction(document: Document, converted: Converted) -> Iterator[Problem]:
    """Redaction where no record is encoded: behind a queue handler."""
    for queue, _, names in _queue_handlers(converted):
        for name in names:
            path: Path = ("handlers", name)
            entry = converted.entry(path)
            if entry is not None and "redaction" in entry and converted.get(path, entry, "redaction"):
                yield document.problem(
                    (*path, "redaction"),
                    f"has no effect behind {queue!r}, which stores records before they come here. "
                    f"Move it to handlers.{queue}",
                )


def _redacting_filters(document: Document, converted: Converted) -> Iterator[Problem]:
    """Filters on loggers that hide secrets, to go by their names: records of the loggers below pass them by."""
    for logger in ("", *(converted.section("loggers") or ())):
        path: Path = ("loggers", str(logger)) if logger else ("root",)
        entry = converted.entry(path)
        names = None if entry is None else converted.get(path, entry, "filters")
        for index, name in enumerate(names if isinstance(names, (list, tuple)) else ()):
            made = converted.entry(("filters", name)) or {}
            if any(_HIDES.search(str(text)) for text in (name, made.get("()"), made.get("class"))):
                yield document.problem(
                    (*path, "filters", index),
                    f"the filter {name!r} would hide nothing in the records of the loggers below: only a handler's "
                    "filters see those. Move it to the handlers, or set 'redaction' on OTelQueueHandler",
                )


def find_idle_options(document: Document, converted: Converted) -> Iterator[Problem]:
    """Options of handlers that have no effect as they are written."""
    yield from _idle_redaction(document, converted)
    yield from _redacting_filters(document, converted)
    for name, entry, handlers in _queue_handlers(converted):
        path: Path = ("handlers", name)
        if "class" in entry and "()" not in entry and sys.version_info[:2] == (3, 12):
            lost = [key for key in entry if key not in _KEPT_ON_3_12]
            if lost:
                yield document.problem(
                    (*path, "class"),
                    f"Python 3.12 drops {', '.join(map(repr, lost))} under 'class': write "
                    "'(): otel_stdlib.OTelQueueHandler' instead",
                )
        if "listener" in entry and converted.get(path, entry, "listener") is not None:
            yield document.problem(
                (*path, "listener"), "has no effect: a queue handler makes its own listener. Remove it"
            )
        if handlers and "queue" in entry and converted.get(path, entry, "queue") is not None:
            yield document.problem(
                (*path, "queue"),
                "has no effect together with 'handlers': records go into the spool. Remove one of the two",
            )
