"""Where a record was logged: found once per call site, then kept as bytes by the encoder."""

from __future__ import annotations

import logging
import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

from otel_stdlib.facts.memo import keep
from otel_stdlib.facts.threads import is_ours

__all__ = ["DELIVERY_THREAD_PREFIX", "is_delivery_thread", "place", "site_attributes"]

#: Threads of this package that deliver records. What is logged on them is not logged again.
DELIVERY_THREAD_PREFIX = "otel-stdlib-"

_MAX_FRAMES = 100
_UNKNOWN_FILE = "(unknown file)"
_UNKNOWN_FUNCTION = "(unknown function)"


def is_delivery_thread(record: logging.LogRecord) -> bool:
    """Whether a record was logged on a delivery thread of this package."""
    name = record.threadName
    if isinstance(name, str) and name.startswith(DELIVERY_THREAD_PREFIX):
        return True
    # gevent or eventlet came after the thread had begun: threading does not know its name any more.
    return is_ours() and record.thread == threading.get_ident()


#: Relative paths as they were meant when they were first seen: the working directory may change later.
_absolute: dict[str, str] = {}


class _SameCode:
    """A code object as a key: two are the same only when they are one, and one lives as long as its key."""

    __slots__ = ("_code",)

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __hash__(self) -> int:
        return id(self._code)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameCode) and self._code is other._code


def place(record: logging.LogRecord, key: Any) -> tuple[bool, Any]:
    """Whether the call that made a record is still on this thread's stack, and the key by which its site is kept.

    None as key: what the site depends on is not known.

    Only on the stack can the function's full name be known: a record that came by a queue, or that was made by
    hand, has the bare name alone, and shares all that else tells call sites apart. Code without a file (``<stdin>``,
    ``<string>``, ``<timeit-src>``) says too little by name and line.
    """
    frame = _find_frame(record) if record.thread == threading.get_ident() else None
    if not record.pathname.startswith("<"):
        return frame is not None, key
    module = None if frame is None else frame.f_globals.get("__name__")
    if frame is None or type(module) is not str:
        return frame is not None, None
    return True, (key, _SameCode(frame.f_code), module)


def _full_path(path: str) -> str:
    if path.startswith("<") or os.path.isabs(path):
        return path if path.startswith("<") else os.path.abspath(path)
    return _absolute.get(path) or keep(_absolute, path, os.path.abspath(path))


def site_attributes(record: logging.LogRecord) -> dict[str, Any]:
    """``code.*``, ``thread.*`` and a process that is not this one; what is not known is left out.

    ``code.function.name`` is fully qualified when the logging call is still on this thread's
    stack, else it is the record's own ``funcName``.
    """
    attributes: dict[str, Any] = {}
    path, line, function = record.pathname, record.lineno, record.funcName
    if function and function != _UNKNOWN_FUNCTION:
        attributes["code.function.name"] = _qualified_name(record) or function
    if path and path != _UNKNOWN_FILE:
        attributes["code.file.path"] = _full_path(path)
    if line:
        attributes["code.line.number"] = _plain(line)
    if record.thread is not None:
        attributes["thread.id"] = _plain(record.thread)
    if record.threadName is not None:
        attributes["thread.name"] = record.threadName
    if record.process and record.process != os.getpid():
        # Handed over by another process: the resource does not speak for it.
        attributes["process.pid"] = _plain(record.process)
    if record.processName is not None and record.processName != "MainProcess":
        attributes["multiprocessing.process.name"] = record.processName
    return attributes


def _plain(number: Any) -> Any:
    """Equal numbers, as 1 and 1.0, in one way: a site is kept by what its fields equal."""
    return int(number) if isinstance(number, (bool, float)) and number == number // 1 else number


def _qualified_name(record: logging.LogRecord) -> str | None:
    if record.thread != threading.get_ident():
        return None
    frame = _find_frame(record)
    if frame is None:
        return None
    code = frame.f_code
    name = getattr(code, "co_qualname", None) or _guess_qualname(frame, code)
    module = frame.f_globals.get("__name__")
    return f"{module}.{name}" if type(module) is str and module else str(name)


def _find_frame(record: logging.LogRecord) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    path, line, function = record.pathname, record.lineno, record.funcName
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return None
        code = frame.f_code
        if frame.f_lineno == line and code.co_name == function and code.co_filename == path:
            return frame
        frame = frame.f_back
    return None


def _guess_qualname(frame: FrameType, code: CodeType) -> str:
    """Python 3.10 has no ``co_qualname``: ask the first argument's class whose code this is."""
    name = code.co_name
    if code.co_argcount and code.co_varnames[0] in ("self", "cls"):
        first = frame.f_locals.get(code.co_varnames[0])
        owner = first if isinstance(first, type) else type(first)
        for base in owner.__mro__:
            member = vars(base).get(name)
            member = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if getattr(member, "__code__", None) is code:
                return f"{base.__qualname__}.{name}"
    return name
