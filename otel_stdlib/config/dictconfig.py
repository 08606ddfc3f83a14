"""``logging.config.dictConfig`` from YAML: checked before anything is changed, errors with their place."""

from __future__ import annotations

import copy
import logging
import logging.config
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from otel_stdlib.config.check import check_schema, in_order
from otel_stdlib.config.document import Document, read_yaml, wrap_mapping
from otel_stdlib.config.errors import ConfigFileError, Path, Problem
from otel_stdlib.config.references import check_references
from otel_stdlib.config.registry import import_path
from otel_stdlib.config.variables import Environment, expand
from otel_stdlib.facts.errors import ConfigError

__all__ = ["check_dict_config", "load_dict_config"]

_CULPRIT = re.compile(r"Unable to configure (formatter|filter|handler|logger|root logger)s? ?(?:'(.*?)')?")
_OURS = "otel_stdlib."


def load_dict_config(
    source: str | os.PathLike[str] | Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> None:
    """Configure ``logging`` from a YAML file or a mapping, as ``logging.config.dictConfig`` does.

    Variables and secrets are put in. What can be known to be wrong is found before anything is
    changed: the schema, names that lead nowhere, the options of this package's handlers,
    formatters and filters. Only a handler of somebody else that refuses to be made can still
    fail half-way; the loggers then keep the handlers that they had.

    Raises:
        ConfigFileError: one line for each thing that is wrong, with file, line, column and path.
    """
    document, problems = check_dict_config(source, environ=environ)
    if problems:
        raise ConfigFileError(problems)
    try:
        logging.config.dictConfig(document.value)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise ConfigFileError(_located(document, error)) from error


def check_dict_config(
    source: str | os.PathLike[str] | Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> tuple[Document, list[Problem]]:
    """The document and what is wrong with it. Changes nothing.

    Raises:
        ConfigFileError: it is no document at all.
    """
    if isinstance(source, Mapping):
        document = wrap_mapping(source)
        folders: tuple[str, ...] = (os.getcwd(),)
    else:
        document = read_yaml(source)
        folders = (os.path.dirname(os.path.abspath(source)), os.getcwd())
    problems = expand(document, Environment(environ, folders))
    unset = {problem.path for problem in problems}
    problems += [found for found in check_schema(document, "dictConfig") if found.path not in unset]
    if document.value.get("version") != 1 and not any(p.path in ((), ("version",)) for p in problems):
        problems.append(document.problem((), "needs 'version: 1'"))
    if not problems:
        problems += check_references(document)
    if not problems and document.value.get("incremental") is not True:
        problems += _try_ours(document)
    return document, in_order(problems)


def _try_ours(document: Document) -> Iterator[Problem]:
    """Make this package's own parts once, for their checks. Making one is inert: no file, thread or socket."""
    # On a copy, as making a part takes its keys out.
    configurator = logging.config.DictConfigurator(copy.deepcopy(document.value))
    config = configurator.config
    makers: dict[str, Callable[[Any], Any]] = {
        "formatters": configurator.configure_formatter,
        "filters": configurator.configure_filter,
        "handlers": _make_handler,
    }
    for section, make in makers.items():
        for name, entry in (config.get(section) or {}).items():
            path: Path = (section, name)
            if not _is_ours(entry):
                continue
            try:
                made = make(entry)
            except Exception as error:
                yield from _from_error(document, path, error)
            else:
                if isinstance(made, logging.Handler):
                    made.close()


def _make_handler(entry: dict[str, Any]) -> logging.Handler:
    """A handler as ``dictConfig`` makes it, without its formatter and filters, which may be others'."""
    keys = [key for key in entry if key.isidentifier() and key not in ("class", "formatter", "filters")]
    kind = import_path(_target(entry))
    options = {key: entry[key] for key in keys}
    if kind.__name__ != "OTelQueueHandler":
        handler: logging.Handler = kind(**options)
        return handler
    options.pop("listener", None)
    if options.pop("queue", None) is None and not options.get("handlers"):
        raise ConfigError(
            "a queue handler needs at least one handler to deliver to: set 'handlers' to a list of handler names, "
            "for example [file]",
            option="handlers",
        )
    queue_handler: logging.Handler = kind(**options)
    return queue_handler


def _is_ours(entry: Any) -> bool:
    return isinstance(entry, dict) and _target(entry).startswith(_OURS)


def _target(entry: dict[str, Any]) -> str:
    # Past the conversion that dictConfig's own dictionaries do on every look.
    target = dict.get(entry, "()") or dict.get(entry, "class")
    return target.removeprefix("ext://") if isinstance(target, str) else ""


def _from_error(document: Document, path: Path, error: BaseException) -> Iterator[Problem]:
    if isinstance(error, ConfigFileError):
        for problem in error.problems:
            yield document.problem(path, problem.message)
        return
    option = getattr(error, "option", None)
    yield document.problem(_find_option(document, path, option), _text(error))


def _find_option(document: Document, path: Path, option: str | None) -> Path:
    if option is not None:
        for known in document.places:
            if known[: len(path)] == path and known[-1] == option:
                return known
    return path


def _located(document: Document, error: BaseException) -> Problem:
    """Where in the document an error of ``dictConfig`` comes from."""
    match = _CULPRIT.search(str(error))
    cause = error.__cause__ or error
    if match is None:
        return document.problem((), _text(error))
    kind, name = match[1], match[2]
    path: Path = ("root",) if kind == "root logger" else (f"{kind}s", name) if name else (f"{kind}s",)
    return document.problem(_find_option(document, path, getattr(cause, "option", None)), _text(cause))


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
