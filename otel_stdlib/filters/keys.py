"""What tells records apart for a limit: their logger, template, level, or any attribute."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import nearest

__all__ = ["Key", "check_by", "key_of", "key_text"]

Key = tuple[Any, ...]
_ATTRIBUTE = "attribute:"


def check_by(value: object, known: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a key: a name or a list of names.

    Raises:
        ConfigError: one of them is not known, or there is none; the message names it.
    """
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not parts:
        raise ConfigError(f"option 'by' must be a name or a list of names, not {value!r}", option="by")
    for part in parts:
        named = isinstance(part, str) and part.startswith(_ATTRIBUTE) and part[len(_ATTRIBUTE) :].strip()
        if part not in known and not named:
            raise ConfigError(
                f"option 'by' must have names out of {', '.join(known)} and attribute:NAME, not {part!r}"
                f"{nearest(part, known, listed=False)}",
                option="by",
            )
    if "none" in parts and len(parts) > 1:
        raise ConfigError("option 'by' must have 'none' alone", option="by")
    return () if "none" in parts else tuple(parts)


def _template(record: logging.LogRecord) -> Any:
    message = record.msg
    return message if type(message) is str else type(message).__name__


def _line(record: logging.LogRecord) -> Any:
    return f"{record.pathname}:{record.lineno}"


def _exception(record: logging.LogRecord) -> Any:
    found = record.exc_info
    kind = found[0] if isinstance(found, tuple) and found else None
    return getattr(kind, "__name__", "")


_PARTS: dict[str, Callable[[logging.LogRecord], Any]] = {
    "logger": lambda record: record.name,
    "level": lambda record: record.levelname,
    "template": _template,
    "body": lambda record: record.getMessage(),
    "code.line": _line,
    "exception.type": _exception,
}


def _attribute(name: str) -> Callable[[logging.LogRecord], Any]:
    def part(record: logging.LogRecord) -> Any:
        value = record.__dict__.get(name, "")
        return value if type(value) is str else str(value)

    return part


def key_of(by: tuple[str, ...]) -> Callable[[logging.LogRecord], Key]:
    """What makes the key of a record. It may raise what the record's own objects raise."""
    if by == ("logger", "template"):

        def usual(record: logging.LogRecord) -> Key:
            message = record.msg
            return record.name, message if type(message) is str else type(message).__name__

        return usual
    if by == ("logger", "level", "template", "exception.type", "code.line"):

        def place(record: logging.LogRecord) -> Key:
            message = record.msg
            return (
                record.name,
                record.levelno,
                message if type(message) is str else type(message).__name__,
                _exception(record) if record.exc_info else "",
                record.pathname,
                record.lineno,
            )

        return place
    parts = [_PARTS[p] if p in _PARTS else _attribute(p[len(_ATTRIBUTE) :]) for p in by]
    if len(parts) == 1:
        first = parts[0]
        return lambda record: (first(record),)
    return lambda record: tuple([part(record) for part in parts])


def key_text(by: tuple[str, ...], key: Key) -> str:
    """A key for people: ``logger=shop, template=order %s placed``."""
    return ", ".join(
        f"{part.removeprefix(_ATTRIBUTE)}={value}"[:500] for part, value in zip(by, key, strict=True)
    )
