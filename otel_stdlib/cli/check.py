"""``otel-stdlib check``: what is wrong with a configuration, and what it would do."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from typing import Any

from otel_stdlib.cli.doubled import opentelemetry_doubles
from otel_stdlib.cli.surroundings import find_missing, spool_trouble
from otel_stdlib.config.check import in_order
from otel_stdlib.config.converted import Converted
from otel_stdlib.config.dictconfig import check_dict_config
from otel_stdlib.config.document import Document, read_yaml
from otel_stdlib.config.doubles import find_doubles, find_idle_options
from otel_stdlib.config.errors import ConfigFileError, Problem
from otel_stdlib.config.translate import LoggerSettings, load_settings
from otel_stdlib.config.trial import find_option, make_handler
from otel_stdlib.facade.assembly import Assembly, assemble
from otel_stdlib.facts.secrets import mask
from otel_stdlib.handlers.base import DestinationHandler

__all__ = ["add_parser", "check"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check``."""
    parser = commands.add_parser("check", help="say what is wrong with a configuration and what it would do")
    parser.add_argument("file", help="a YAML file with 'logger:', or with 'version: 1' for dictConfig")
    parser.add_argument("--quiet", action="store_true", help="only say what is wrong")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    problems, effects = check(arguments.file)
    for problem in problems:
        print(problem)
    if not arguments.quiet:
        for effect in (*effects, *(opentelemetry_doubles() if effects else ())):
            print(effect)
        if not problems:
            print(f"{arguments.file}: nothing is wrong")
    return 1 if problems else 0


def check(path: str) -> tuple[list[Problem], list[str]]:
    """What is wrong with a file, in its order, and lines that say what it would do.

    It makes the handlers, which opens nothing, and changes no logger.
    """
    try:
        document = read_yaml(path)
        if (
            isinstance(document.value, dict)
            and "version" in document.value
            and "logger" not in document.value
        ):
            return _dict_config(path)
        return _logger(path)
    except ConfigFileError as error:
        return list(error.problems), []


def _logger(path: str) -> tuple[list[Problem], list[str]]:
    settings, problems, document = load_settings(path, strict=False)
    assembly = assemble(settings, document)
    try:
        found = [problem for _, problem in assembly.problems]
        found += _around_backends(document, settings, assembly)
        where = (
            f"service {settings.service_name or '(OTEL_SERVICE_NAME)'}, root logger at {settings.log_level}"
        )
        effects = [where, *_levels(settings.levels)]
        effects += [_backend(name, kind, assembly.backends[name]) for name, kind in assembly.kinds.items()]
        if settings.watch or settings.reload_signal:
            effects.append(f"loaded again: {' and '.join(_reloads(settings))}")
    finally:
        assembly.stop(0)
    return [*problems, *found], effects


def _around_backends(document: Document, settings: LoggerSettings, assembly: Assembly) -> Iterator[Problem]:
    wrong = {problem.path[:3] for _, problem in assembly.problems}  # logger, backends, number
    specs = [spec for spec in settings.backends if spec.path not in wrong]
    # What stands in for a backend that cannot be made comes behind them.
    for spec, handler in zip(specs, assembly.backends.values(), strict=False):
        for option, message in find_missing(handler):
            name = "log_file" if option == "filename" else option
            yield document.problem(find_option(document, (*spec.path, "config"), name), message)
    trouble = "" if settings.spool.directory is None else spool_trouble(settings.spool.directory)
    if trouble:
        where = find_option(document, ("logger", "spool"), "directory")
        yield document.problem(where, f"records would be kept in memory only: {trouble}")


def _levels(levels: Any) -> Iterator[str]:
    for name, level in levels.items():
        yield f"logger {name} at {level}"


def _reloads(settings: Any) -> Iterator[str]:
    if settings.watch:
        yield f"when the file changes, looked at every {settings.reload_interval:g} s"
    if settings.reload_signal:
        yield f"on {settings.reload_signal}"


def _backend(name: str, kind: str, handler: logging.Handler) -> str:
    to = f" to {mask(handler.identity.key)}" if isinstance(handler, DestinationHandler) else ""
    level = f", from {logging.getLevelName(handler.level)} on" if handler.level else ""
    return f"back end {name} ({kind}){to}{level}"


def _dict_config(path: str) -> tuple[list[Problem], list[str]]:
    document, problems = check_dict_config(path)
    if not problems:
        problems = in_order(list(_around(document)))
    value = document.value
    effects = []
    for name, entry in _mapping(value.get("handlers")):
        effects.append(
            f"handler {name}: {entry.get('()') or entry.get('class') or 'nothing'}{_behind(entry)}"
        )
    loggers = [("root", value.get("root")), *_mapping(value.get("loggers"))]
    for name, entry in loggers:
        if isinstance(entry, dict):
            to = ", ".join(map(str, entry.get("handlers") or ())) or "no handler of its own"
            effects.append(f"logger {name} at {entry.get('level', 'its present level')}: {to}")
    return problems, effects


def _around(document: Document) -> Iterator[Problem]:
    """What is right as a configuration, and yet would not do what is meant."""
    converted = Converted(document)
    yield from find_doubles(document, converted)
    yield from find_idle_options(document, converted)
    for name in converted.section("handlers") or ():
        path = ("handlers", str(name))
        handler = make_handler(path, converted)
        for option, message in () if handler is None else find_missing(handler):
            yield document.problem(find_option(document, path, option), message)


def _behind(entry: dict[str, Any]) -> str:
    behind = entry.get("handlers")
    if not isinstance(behind, list):
        return ""
    return f" to {', '.join(map(str, behind))}" if behind else ""


def _mapping(value: Any) -> list[tuple[str, dict[str, Any]]]:
    items = value.items() if isinstance(value, dict) else ()
    return [(str(name), entry) for name, entry in items if isinstance(entry, dict)]
