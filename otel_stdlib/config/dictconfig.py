"""``logging.config.dictConfig`` from YAML: checked before anything is changed, errors with their place."""

from __future__ import annotations

import logging.config
import os
import re
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from otel_stdlib.config.check import check_schema, in_order
from otel_stdlib.config.converted import Converted
from otel_stdlib.config.document import Document, read_yaml, wrap_mapping
from otel_stdlib.config.doubles import find_doubles
from otel_stdlib.config.errors import ConfigFileError, Path, Problem
from otel_stdlib.config.references import check_references
from otel_stdlib.config.trial import error_text, find_option, make_handler, try_parts
from otel_stdlib.config.variables import Environment, expand
from otel_stdlib.facts.diagnostics import say

__all__ = ["check_dict_config", "forget_source", "last_source", "load_dict_config"]

#: What ``load_dict_config`` was called with last: the source and the variables.
_last: tuple[Any, Mapping[str, str] | None] | None = None

_CULPRIT = re.compile(r"Unable to configure (formatter|filter|handler|logger|root logger)s? ?(?:'(.*?)')?")
_LOGGER_KEYS = ("level", "propagate", "filters", "handlers")


def load_dict_config(
    source: str | os.PathLike[str] | Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> None:
    """Configure ``logging`` from a YAML file or a mapping, as ``logging.config.dictConfig`` does.

    Variables and secrets are filled in. Everything that can be known to be wrong is found before anything is
    changed, and reported at once: the schema, names that lead nowhere, the options of this package's handlers,
    formatters and filters. Only a handler of another package that refuses to be made can still
    fail half-way; the loggers then keep the handlers that they had.

    Args:
        source: a file's path, or what ``dictConfig`` takes: live objects, ``ext://`` and ``cfg://`` included.
        environ: where variables are looked up instead of ``os.environ``.

    Raises:
        ConfigFileError: one line for each thing that is wrong, with file, line, column and path.
    """
    document, problems = check_dict_config(source, environ=environ)
    if problems:
        raise ConfigFileError(problems)
    for double in find_doubles(document, Converted(document)):
        say(f"double:{double}", str(double))
    try:
        logging.config.dictConfig(document.value)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise ConfigFileError(_located(document, error)) from error
    global _last
    is_file = not isinstance(source, Mapping)
    _last = (os.path.abspath(source) if is_file else source, environ)  # type: ignore[arg-type]


def last_source() -> tuple[Any, Mapping[str, str] | None] | None:
    """What ``load_dict_config`` has configured this process with: a path or a mapping, and the variables."""
    return _last


def forget_source() -> None:
    """Another call has configured this process since: what ``load_dict_config`` was given is not handed on."""
    global _last
    _last = None


def check_dict_config(
    source: str | os.PathLike[str] | Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> tuple[Document, list[Problem]]:
    """The document and what is wrong with it. Changes nothing.

    Raises:
        ConfigFileError: it is no document at all.
    """
    if isinstance(source, Mapping):
        document = wrap_mapping(source, live=True)
        folders: tuple[str, ...] = (os.getcwd(),)
    else:
        document = read_yaml(source)
        folders = (os.path.dirname(os.path.abspath(source)), os.getcwd())
    problems = expand(document, Environment(environ, folders))
    unset = {problem.path for problem in problems}
    converted = Converted(document)
    problems += _from_schema(document, converted, unset)
    is_judged = "version" not in document.value or any(p.path == ("version",) for p in problems)
    if not is_judged and converted.get((), converted.configurator.config, "version") != 1:
        problems.append(document.problem((), "needs 'version: 1'"))
    known = {problem.path for problem in problems}
    problems += [found for found in check_references(document, converted) if found.path not in known]
    problems += _class_objects(document, converted)
    if not converted.is_incremental:
        problems = try_parts(document, problems)
    return document, in_order(problems)


def _from_schema(document: Document, converted: Converted, unset: set[Path]) -> Iterator[Problem]:
    """What the schema finds, without what ``dictConfig`` and this package's handlers take all the same."""
    found = [problem for problem in check_schema(document, "dictConfig") if problem.path not in unset]
    if not any(problem.path == () for problem in found) and "version" not in document.value:
        yield document.problem((), "needs the option 'version'")
    unknown = "unknown option "
    values = {p.path[:2] for p in found if p.path[:1] == ("handlers",) and len(p.path) > 2}
    taken = {
        path
        for path in values
        if not any(p.path[:2] == path and p.message.startswith(unknown) for p in found)
        and not any(known[:2] == path for known in unset)
        and make_handler(path, converted) is not None
    }
    for problem in found:
        # dictConfig ignores other keys of a logger: only what looks like a slip is worth an error.
        is_ignored = (
            problem.path[:1] in (("loggers",), ("root",))
            and problem.message.startswith(unknown)
            and not get_close_matches(str(problem.path[-1]), _LOGGER_KEYS, 1)
        )
        if not is_ignored and problem.path[:2] not in taken:
            yield problem


def _class_objects(document: Document, converted: Converted) -> Iterator[Problem]:
    if sys.version_info >= (3, 12) or converted.is_incremental:
        return
    for name in converted.section("handlers") or ():
        path: Path = ("handlers", str(name))
        entry = converted.entry(("handlers", name))
        target = None if entry is None or "()" in entry else converted.get(path, entry, "class")
        if target is not None and not isinstance(target, str):
            yield document.problem(
                (*path, "class"), "must be a dotted path before Python 3.12; '()' takes a class or function"
            )


def _located(document: Document, error: BaseException) -> Problem:
    """Where in the document an error of ``dictConfig`` comes from."""
    match = _CULPRIT.search(str(error))
    cause = error.__cause__ or error
    if match is None:
        return document.problem((), error_text(error))
    kind, name = match[1], match[2]
    path: Path = ("root",) if kind == "root logger" else (f"{kind}s", name) if name else (f"{kind}s",)
    return document.problem(find_option(document, path, getattr(cause, "option", None)), error_text(cause))
