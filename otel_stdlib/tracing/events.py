"""Log records made by this package for its callers: their place in the source, any attribute names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any, NamedTuple

from otel_stdlib.record.lift import BASE_KEYS, MESSAGE_KEYS, OWN_ATTRIBUTES

__all__ = ["Where", "emit", "put_attributes", "where_is", "where_of_function"]

_TAKEN = frozenset(BASE_KEYS) | MESSAGE_KEYS


class Where(NamedTuple):
    """A place in the source."""

    #: The module's name, which is the logger's.
    module: str
    path: str
    line: int
    function: str


def where_is(frame: FrameType) -> Where:
    """The place that a frame is at."""
    code = frame.f_code
    return Where(frame.f_globals.get("__name__") or "root", code.co_filename, frame.f_lineno, code.co_name)


def where_of_function(function: Any) -> Where:
    """The place where a function is defined."""
    code: CodeType | None = getattr(function, "__code__", None)
    module = getattr(function, "__module__", None) or "root"
    if code is None:
        return Where(module, "(unknown file)", 0, getattr(function, "__name__", type(function).__name__))
    return Where(module, code.co_filename, code.co_firstlineno, code.co_name)


def put_attributes(record: logging.LogRecord, attributes: Mapping[str, Any]) -> None:
    """Put ``attributes`` on a record, whatever their names: none overwrites what the record has itself."""
    fields = record.__dict__
    if _TAKEN.isdisjoint(attributes):
        fields.update(attributes)
        return
    fields.update({name: value for name, value in attributes.items() if name not in _TAKEN})
    fields[OWN_ATTRIBUTES] = {name: value for name, value in attributes.items() if name in _TAKEN}


def emit(
    logger: logging.Logger,
    level: int,
    message: object,
    where: Where,
    attributes: Mapping[str, Any],
    *,
    args: tuple[Any, ...] = (),
    exc_info: Any = None,
    stack_info: str | None = None,
) -> None:
    """Log one record at ``where``. The logger's level is not asked."""
    record = logger.makeRecord(
        logger.name, level, where.path, where.line, message, args, exc_info, where.function, None, stack_info
    )
    if attributes:
        put_attributes(record, attributes)
    logger.handle(record)
