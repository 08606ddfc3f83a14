"""The logging methods of the facade. Each logs for its caller; see ``otel_stdlib.facade.functions.log``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Coroutine
from typing import Any

from otel_stdlib.facade.calls import later, marked_async, write
from otel_stdlib.facts.levels import level_number

__all__ = ["LoggingMethods"]


class LoggingMethods:
    """``debug`` … ``critical``, ``exception``, ``log`` and their awaitable twins.

    The record is the caller's: its module's logger, its file and line. Every keyword is an
    attribute but for ``attributes`` (a mapping of more), ``correlation_id``, ``exc_info``,
    ``stack_info`` and ``stacklevel``. Any thread; nothing here raises or waits.
    """

    def log(self, level: int | str, message: object, /, *args: Any, **fields: Any) -> None:
        """Log ``message % args`` at ``level``."""
        write(sys._getframe(1), level_number(level), message, args, fields)

    def debug(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at DEBUG."""
        write(sys._getframe(1), logging.DEBUG, message, args, fields)

    def info(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at INFO."""
        write(sys._getframe(1), logging.INFO, message, args, fields)

    def warning(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at WARNING."""
        write(sys._getframe(1), logging.WARNING, message, args, fields)

    def error(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at ERROR."""
        write(sys._getframe(1), logging.ERROR, message, args, fields)

    def critical(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at CRITICAL."""
        write(sys._getframe(1), logging.CRITICAL, message, args, fields)

    def exception(self, message: object, /, *args: Any, **fields: Any) -> None:
        """``log`` at ERROR with the exception that is being handled."""
        fields.setdefault("exc_info", True)
        write(sys._getframe(1), logging.ERROR, message, args, fields)

    @marked_async
    def alog(
        self, level: int | str, message: object, /, *args: Any, **fields: Any
    ) -> Coroutine[Any, Any, None]:
        """``log`` for ``await``. It never blocks the loop and never gives it away."""
        return later(sys._getframe(1), level_number(level), message, args, fields)

    @marked_async
    def adebug(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at DEBUG."""
        return later(sys._getframe(1), logging.DEBUG, message, args, fields)

    @marked_async
    def ainfo(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at INFO."""
        return later(sys._getframe(1), logging.INFO, message, args, fields)

    @marked_async
    def awarning(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at WARNING."""
        return later(sys._getframe(1), logging.WARNING, message, args, fields)

    @marked_async
    def aerror(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at ERROR."""
        return later(sys._getframe(1), logging.ERROR, message, args, fields)

    @marked_async
    def acritical(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at CRITICAL."""
        return later(sys._getframe(1), logging.CRITICAL, message, args, fields)

    @marked_async
    def aexception(self, message: object, /, *args: Any, **fields: Any) -> Coroutine[Any, Any, None]:
        """``alog`` at ERROR with the exception that is being handled."""
        fields.setdefault("exc_info", True)
        return later(sys._getframe(1), logging.ERROR, message, args, fields)
