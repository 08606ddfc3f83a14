"""The module functions: the facade's methods without the facade."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from typing import Any

from otel_stdlib.facade.calls import later, marked_async, write
from otel_stdlib.facts.levels import level_number

__all__ = [
    "alog",
    "alog_critical",
    "alog_debug",
    "alog_error",
    "alog_info",
    "alog_warning",
    "log",
    "log_critical",
    "log_debug",
    "log_error",
    "log_exception",
    "log_info",
    "log_warning",
]


def log(level: int | str, message: object, /, *args: Any, **fields: Any) -> None:
    """Log ``message % args`` at ``level`` on the caller's own logger.

    Every keyword is an attribute of the record, whatever its name, but for ``attributes`` (a
    mapping of more), ``correlation_id``, ``exc_info``, ``stack_info`` and ``stacklevel``. Without
    ``configure_logger`` the record goes where ``logging`` sends it.
    """
    write(sys._getframe(1), level_number(level), message, args, fields)


def log_debug(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at DEBUG."""
    write(sys._getframe(1), logging.DEBUG, message, args, fields)


def log_info(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at INFO."""
    write(sys._getframe(1), logging.INFO, message, args, fields)


def log_warning(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at WARNING."""
    write(sys._getframe(1), logging.WARNING, message, args, fields)


def log_error(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at ERROR."""
    write(sys._getframe(1), logging.ERROR, message, args, fields)


def log_critical(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at CRITICAL."""
    write(sys._getframe(1), logging.CRITICAL, message, args, fields)


def log_exception(message: object, /, *args: Any, **fields: Any) -> None:
    """``log`` at ERROR with the exception that is being handled."""
    fields.setdefault("exc_info", True)
    write(sys._getframe(1), logging.ERROR, message, args, fields)


@marked_async
def alog(level: int | str, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``log`` for ``await``. It never blocks the loop and never gives it away."""
    return later(sys._getframe(1), level_number(level), message, args, fields)


@marked_async
def alog_debug(message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``alog`` at DEBUG."""
    return later(sys._getframe(1), logging.DEBUG, message, args, fields)


@marked_async
def alog_info(message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``alog`` at INFO."""
    return later(sys._getframe(1), logging.INFO, message, args, fields)


@marked_async
def alog_warning(message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``alog`` at WARNING."""
    return later(sys._getframe(1), logging.WARNING, message, args, fields)


@marked_async
def alog_error(message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``alog`` at ERROR."""
    return later(sys._getframe(1), logging.ERROR, message, args, fields)


@marked_async
def alog_critical(message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
    """``alog`` at CRITICAL."""
    return later(sys._getframe(1), logging.CRITICAL, message, args, fields)
