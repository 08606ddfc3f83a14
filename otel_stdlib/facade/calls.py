"""From a facade call to a ``LogRecord`` of the caller's own logger."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from types import FrameType
from typing import Any, TypeVar

from otel_stdlib.tracing.events import put_attributes

__all__ = ["later", "logger_at", "make_record", "marked_async", "write"]

_F = TypeVar("_F", bound=Callable[..., Any])

#: Keywords that are no attributes.
_OWN = frozenset({"attributes", "correlation_id", "exc_info", "stack_info", "stacklevel"})
_NONE: tuple[None, None, None] = (None, None, None)

# A module's logger is always the same object.
_loggers: dict[str, logging.Logger] = {}


def logger_at(frame: FrameType) -> logging.Logger:
    """The logger of the module that a frame is in, as ``logging.getLogger(__name__)`` there."""
    name = frame.f_globals.get("__name__") or "root"
    logger = _loggers.get(name)
    if logger is None:
        logger = _loggers[name] = logging.getLogger(name)
    return logger


def write(
    frame: FrameType, level: int, message: object, args: tuple[Any, ...], fields: dict[str, Any]
) -> None:
    """Log one record for the caller at ``frame``, if its logger wants the level."""
    logger = logger_at(frame)
    if logger.isEnabledFor(level):
        logger.handle(make_record(logger, frame, level, message, args, fields))


def make_record(
    logger: logging.Logger,
    frame: FrameType,
    level: int,
    message: object,
    args: tuple[Any, ...],
    fields: dict[str, Any],
) -> logging.LogRecord:
    """A record with the caller's place and ``fields`` as attributes, whatever their names."""
    correlation = exc_info = stack = None
    if fields and not _OWN.isdisjoint(fields):
        attributes = fields.pop("attributes", None)
        correlation = fields.pop("correlation_id", None)
        exc_info = _exc_info(fields.pop("exc_info", None))
        levels = fields.pop("stacklevel", 1)
        while levels > 1 and frame.f_back is not None:
            frame, levels = frame.f_back, levels - 1
        if fields.pop("stack_info", False):
            stack = _stack(frame)
        if attributes:
            fields = {
                **(attributes if isinstance(attributes, Mapping) else {"attributes": attributes}),
                **fields,
            }
    code = frame.f_code
    record = logger.makeRecord(
        logger.name,
        level,
        code.co_filename,
        frame.f_lineno,
        message,
        args,
        exc_info,
        code.co_name,
        None,
        stack,
    )
    if fields:
        put_attributes(record, fields)
    if correlation is not None:
        record.__dict__["correlation_id"] = str(correlation)
    return record


def _exc_info(value: Any) -> Any:
    if not value:
        return None
    if isinstance(value, BaseException):
        return type(value), value, value.__traceback__
    if isinstance(value, tuple):
        return value
    found = sys.exc_info()
    return None if found == _NONE else found


def _stack(frame: FrameType) -> str:
    text = io.StringIO("Stack (most recent call last):\n")
    text.seek(0, io.SEEK_END)
    traceback.print_stack(frame, file=text)
    return text.getvalue().rstrip("\n")


async def _deliver(logger: logging.Logger, record: logging.LogRecord | None) -> None:
    """Log a record that was made before; None: its level was not wanted. Never waits."""
    if record is not None:
        logger.handle(record)


def later(
    frame: FrameType, level: int, message: object, args: tuple[Any, ...], fields: dict[str, Any]
) -> Coroutine[Any, Any, None]:
    """``write`` when awaited. The record itself is made now: it is about this place and this moment."""
    logger = logger_at(frame)
    if logger.isEnabledFor(level):
        return _deliver(logger, make_record(logger, frame, level, message, args, fields))
    return _deliver(logger, None)


def marked_async(function: _F) -> _F:
    """Mark a plain function that returns a coroutine as a coroutine function, for those who ask before they call."""
    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        marked: _F = mark(function)
        return marked
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
