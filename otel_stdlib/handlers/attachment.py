"""Whether loggers still have our handlers: another configuration takes them off in silence."""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.suppressed import elsewhere
from otel_stdlib.facts.threads import Thread, is_green, sleep
from otel_stdlib.pipeline import exit as exit_hook

if TYPE_CHECKING:
    from otel_stdlib.handlers.base import EncodingHandler

__all__ = ["Attachment", "health", "is_attached"]

#: Seconds for which a handler is off every logger before that is reported: a successor may be on its way.
_GRACE = 0.6
#: Seconds between two searches through all loggers.
_SEARCH = 0.25
_LOOK = 0.05
_NOBODY = ("logging", "otel_stdlib", "builtins", "__main__")
_HINTS = {
    "celery": "set worker_hijack_root_logger = False, or configure logging in celery.signals.setup_logging",
    "litestar": "configure logging after Litestar()",
    "alembic": "configure logging after it, or remove fileConfig from env.py",
}
_QUIET = {"attached": True, "state": "running", "dropped": {}, "retiring": 0}
_live: weakref.WeakSet[EncodingHandler] = weakref.WeakSet()


def health() -> list[dict[str, Any]]:
    """``health()`` of every handler of this package in the process that a logger has or that delivers.

    Also of those that ``logging.getHandlerByName`` does not find any more. Sorted by name. What filters of this
    package have suppressed on loggers and on handlers of others is one more report, named ``filters``.
    Any thread; never waits.
    """
    reports = [handler.health() for handler in _handlers()]
    found = [each for each in reports if each["attached"] or each["state"] != "idle" or each["retiring"]]
    others = elsewhere.snapshot()
    if others:
        found.append({"name": "filters", "kind": "filters", **_QUIET, "suppressed": others})
    return sorted(found, key=lambda each: str(each["name"]))


def is_attached(handler: logging.Handler) -> bool:
    """Whether any logger has ``handler``: another configuration may have removed it."""
    return _logger_of(handler) is not None


class Attachment:
    """Looks at where one handler is, now and then, and reports it when it is nowhere any more.

    It is not reported when the application closes the handler, when another handler of this package has come in
    its place, or at the end of the process.
    """

    def __init__(self, handler: EncodingHandler) -> None:
        self._handler = weakref.ref(handler)
        self._logger: logging.Logger | None = None
        self._missing_since: float | None = None
        self._next_search = 0.0
        self._told = False
        #: What removed it, as far as the call that closed it shows.
        self._by: str | None = None
        _live.add(handler)

    def look(self, now: float) -> None:
        """One look. A background thread calls it; ``now`` is monotonic."""
        handler = self._handler()
        if handler is None or (self._logger is not None and handler in self._logger.handlers):
            self._missing_since = None
            return
        if now < self._next_search:
            return
        self._next_search = now + _SEARCH
        found = _logger_of(handler)
        if found is not None:
            self._logger, self._missing_since, self._told = found, None, False
        elif self._logger is not None and not self._told:
            self._miss(handler, self._logger, now)

    def _miss(self, handler: EncodingHandler, logger: logging.Logger, now: float) -> None:
        if self._missing_since is None:
            self._missing_since = now
        if now - self._missing_since < _GRACE or _is_configuring():
            return
        self._told = True
        if exit_hook.is_exiting() or any(is_attached(each) for each in _handlers() if each is not handler):
            return
        where = "the root logger" if logger.name == "root" else f"the logger {logger.name!r}"
        by, hint = _culprit(logger, self._by)
        name = handler.name or type(handler).__name__
        say(
            f"detached:{name}",
            f"handler {name!r} was taken off {where}{by}: records logged there are not recorded any more; {hint}",
            force=True,
        )

    def closed(self) -> None:
        """The handler is being closed: if a configuration of ``logging`` does it, look on for a while."""
        self._by = _configuration(sys._getframe(2))
        handler = self._handler()
        if self._by is None or handler is None:
            self._logger = None  # by the application itself, or at the end of the process
            return
        # dictConfig and fileConfig close every handler first, also one that the application has taken off before;
        # basicConfig closes only what it has just taken off the root.
        self._logger = _logger_of(handler)
        if self._logger is None and "basicConfig" in self._by:
            self._logger = logging.getLogger()
        if self._logger is not None:
            try:
                Thread(self._look_on, name="otel-stdlib-attached").start()
            except RuntimeError:
                return  # the interpreter is ending

    def _look_on(self) -> None:
        end = monotonic() + _GRACE
        while not self._told and not exit_hook.is_exiting():
            sleep(_LOOK)
            self.look(monotonic())
            if _is_configuring():
                end = monotonic() + _GRACE
            if self._missing_since is None and (monotonic() > end or self._has_successor()):
                return

    def _has_successor(self) -> bool:
        return any(is_attached(each) for each in _handlers() if each is not self._handler())


def _handlers() -> list[EncodingHandler]:
    while True:
        try:
            return [
                handler for handler in list(_live) if "_name" in vars(handler)
            ]  # not one that is half made
        except RuntimeError:  # another thread makes one
            continue


def _loggers() -> Iterator[logging.Logger]:
    yield logging.getLogger()
    for found in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(found, logging.Logger):
            yield found


def _logger_of(handler: logging.Handler) -> logging.Logger | None:
    return next((logger for logger in _loggers() if handler in logger.handlers), None)


def _is_configuring() -> bool:
    """Whether another thread holds the lock of ``logging``, under which it is configured."""
    lock: Any = getattr(logging, "_lock", None)
    if lock is None or is_green():
        return False
    if not lock.acquire(False):
        return True
    lock.release()
    return False


def _configuration(frame: FrameType | None) -> str | None:
    """The function of ``logging`` that removes handlers among the callers, and who calls it."""
    function = None
    while frame is not None:
        module, name = str(frame.f_globals.get("__name__")), frame.f_code.co_name
        if module in ("logging", "logging.config"):
            if name in ("dictConfig", "fileConfig", "basicConfig"):
                function = f"{module}.{name}"
        elif not module.startswith("otel_stdlib"):
            if function is None:
                return None
            place = frame.f_code.co_filename if module == "__main__" else module
            return f"{function}, called in {place}, line {frame.f_lineno}"
        frame = frame.f_back
    return function


def _culprit(logger: logging.Logger, by: str | None) -> tuple[str, str]:
    """Who took it off, as far as that can be known, and what to do."""
    general = "configure logging after that"
    if by is not None:
        package = by.partition("called in ")[2].partition(".")[0]
        return f" by {by}", _HINTS.get(package, general)
    has = ", ".join(type(handler).__name__ for handler in logger.handlers) or "no handler"
    for handler in logger.handlers:
        for part in (handler, handler.formatter, *handler.filters):
            module = type(part).__module__
            package = module.partition(".")[0]
            if part is not None and package not in _NOBODY:
                return (
                    f", probably by {package} (it now has {has} with {module}.{type(part).__name__})",
                    _HINTS.get(package, general),
                )
    return f" by unknown code (it now has {has})", general
