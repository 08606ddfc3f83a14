"""Making this package's own parts of a ``dictConfig`` document once, for their checks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from otel_stdlib.config.converted import Converted
from otel_stdlib.config.document import Document
from otel_stdlib.config.errors import ConfigFileError, Path, Problem
from otel_stdlib.facts.errors import ConfigError, MissingExtraError

__all__ = ["error_text", "find_option", "make_handler", "our_class", "try_parts"]

_OURS = "otel_stdlib."
_SOMETHING = "something"
_NO_HANDLERS = (
    "a queue handler needs at least one handler to deliver to: set 'handlers' to a list of handler names, "
    "for example [file]"
)
#: What ``dictConfig`` takes out before it makes a handler, and what does not matter for its checks.
_NOT_OPTIONS = ("()", "class", ".", "formatter", "filters", "level", "listener", "queue")


def try_parts(document: Document, problems: list[Problem]) -> list[Problem]:
    """``problems``, and those that the parts themselves find. Making one is inert: no file, thread or socket.

    A part has the last word on its own options: what the schema finds wrong about a value that the
    part takes is dropped. Options that are known to be wrong are left out, so that the others are checked.
    """
    converted = Converted(document)
    found = list(problems)
    for section in ("formatters", "filters", "handlers"):
        for name in converted.section(section) or ():
            path: Path = (section, str(name))
            entry = converted.entry((section, name))
            kind = None if entry is None else our_class(converted, path, entry)
            if kind is None or entry is None:
                continue
            here = [problem for problem in found if problem.path[:2] == path]
            if section == "handlers":
                found += _try_handler(document, path, kind, _options(converted, path, entry), here)
            elif not here:
                try:
                    getattr(converted.configurator, f"configure_{section[:-1]}")(entry)
                except Exception as error:
                    found += _from_error(document, path, error)
    return found


def our_class(converted: Converted, path: Path, entry: dict[Any, Any]) -> Any:
    """The class of this package that an entry names; None for another one."""
    target = converted.get(path, entry, "()") or converted.get(path, entry, "class")
    if isinstance(target, str) and target.startswith(_OURS):
        try:
            target = converted.resolve(target)
        except ConfigError:
            return None
    is_ours = isinstance(target, type) and f"{target.__module__}.".startswith(_OURS)
    return target if is_ours else None


def _options(converted: Converted, path: Path, entry: dict[Any, Any]) -> dict[str, Any]:
    keys = [key for key in entry if isinstance(key, str) and key.isidentifier() and key not in _NOT_OPTIONS]
    options = {key: converted.get(path, entry, key) for key in keys}
    if "queue" in entry and "handlers" not in entry:
        options["queue"] = converted.get(path, entry, "queue")
    return options


def _try_handler(
    document: Document, path: Path, kind: Any, options: dict[str, Any], here: list[Problem]
) -> Iterator[Problem]:
    """Make a handler until no option of it is wrong any more."""
    wrong = {str(problem.path[2]) for problem in here if len(problem.path) > 2}
    if any(len(problem.path) == 2 for problem in here):
        return
    if kind.__name__ == "OTelQueueHandler" and not options.get("handlers") and "handlers" not in wrong:
        if options.get("queue") is None:
            yield from _from_error(document, path, ConfigError(_NO_HANDLERS, option="handlers"))
        wrong.add("handlers")
    # Something in place of a variable that is not set: an option that must be there is checked first.
    missing = {key for key in wrong & options.keys() if options[key] is None}
    left = {
        key: _SOMETHING if key in missing else value
        for key, value in options.items()
        if key in missing or key not in wrong
    }
    if left.get("drain_on_sigterm") is True:
        left["drain_on_sigterm"] = False  # a trial sets no signal handler
    while True:
        try:
            handler = kind(**left)
        except Exception as error:
            option = getattr(error, "option", None)
            is_new = option in left and option not in wrong
            if is_new or not wrong or isinstance(error, MissingExtraError):
                yield from _from_error(document, path, error)
            if option not in left:
                return
            wrong.add(option)
            del left[option]
        else:
            handler.close()
            return


def make_handler(path: Path, converted: Converted) -> logging.Handler | None:
    """The handler of this package at ``path``, closed; None where it is another's or cannot be made as it is."""
    entry = converted.entry(path)
    kind = None if entry is None else our_class(converted, path, entry)
    if kind is None or entry is None:
        return None
    try:
        handler: logging.Handler = kind(**_options(converted, path, entry))
    except Exception:
        return None
    handler.close()
    return handler


def _from_error(document: Document, path: Path, error: BaseException) -> Iterator[Problem]:
    if isinstance(error, ConfigFileError):
        for problem in error.problems:
            yield document.problem(path, problem.message)
        return
    yield document.problem(find_option(document, path, getattr(error, "option", None)), error_text(error))


def find_option(document: Document, path: Path, option: str | None) -> Path:
    """The path of an option at or below ``path``; ``path`` where it is not known."""
    if option is not None:
        for known in document.places:
            if len(known) > len(path) and known[: len(path)] == path and known[-1] == option:
                return known
        if document.at((*path, option)) is not None:
            return (*path, option)
    return path


def error_text(error: BaseException) -> str:
    """The message, with the kind of an error that is not of this package."""
    return str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
