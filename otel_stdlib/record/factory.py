"""A record factory that makes the standard library's own ``LogRecord``, quicker.

Half of what ``logging.LogRecord(…)`` costs is spent on what does not change from call to call: taking the
file's name and the module out of the path, and asking whether a number is a mapping. ``fast_log_record`` keeps
the first by path and asks for the second only where it can be one. Everything else is as in CPython's
``Lib/logging/__init__.py``, 3.10 to 3.13, and ``matches_standard`` says whether this Python's is still that.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib._native import core
from otel_stdlib.facts import native
from otel_stdlib.facts.diagnostics import say

__all__ = ["fast_log_record", "install", "matches_standard", "pure_log_record"]

_new = logging.LogRecord.__new__
_modules = sys.modules
#: Types of a single argument that are no mappings, without a look at ``Mapping``'s registry.
_NO_MAPPING = frozenset({str, int, float, bool, type(None)})
_PATHS = 4_096
_names: dict[str, tuple[str, str]] = {}
#: When logging was imported: seconds, from 3.13 on nanoseconds.
_start: Any = getattr(logging, "_startTime", None)
_VARYING = ("created", "msecs", "relativeCreated")


def _times_of_seconds() -> tuple[float, float, float]:
    now = time.time()
    return now, int((now - int(now)) * 1000) + 0.0, (now - _start) * 1000


def _times_of_nanoseconds() -> tuple[float, float, float]:
    now = time.time_ns()
    created = now / 1e9
    msecs = (now % 1_000_000_000) // 1_000_000 + 0.0
    if msecs == 999.0 and int(created) != now // 1_000_000_000:
        msecs = 0.0  # the division rounded up to the next second
    return created, msecs, (now - _start) / 1e6


_times = _times_of_nanoseconds if sys.version_info >= (3, 13) else _times_of_seconds


def _task_name() -> str | None:
    """The name of the running task; without a running loop there is none to ask for, at a tenth of the price."""
    asyncio = _modules.get("asyncio")
    try:
        if asyncio is None or asyncio._get_running_loop() is None:
            return None
        name: str = asyncio.current_task().get_name()
        return name
    except Exception:  # half imported, or no task
        return None


def _process_name() -> str | None:
    multiprocessing = _modules.get("multiprocessing")
    if multiprocessing is not None:
        try:
            name: str = multiprocessing.current_process().name
            return name
        except Exception:  # half imported
            pass
    return "MainProcess"


def _names_of(path: Any) -> tuple[Any, str]:
    """The file's name and the module's."""
    try:
        name = os.path.basename(path)
        found = name, os.path.splitext(name)[0]
    except (TypeError, ValueError, AttributeError):
        return path, "Unknown module"
    if type(path) is str:
        if len(_names) >= _PATHS:
            _names.clear()
        _names[path] = found
    return found


# The order of the fields is that of the standard library: the encoder relies on it.
def fast_log_record(
    name: str,
    level: int,
    pathname: str,
    lineno: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    sinfo: str | None = None,
    **_unused: object,
) -> logging.LogRecord:
    """A ``logging.LogRecord`` with the fields that ``logging.LogRecord(…)`` gives it. Any thread.

    In C where there is a compiled path.

    For ``logging.setLogRecordFactory``; ``fast_records: true`` of ``OTelQueueHandler`` sets it from a
    configuration. Measured in ``benchmarks/RESULTS.md``.
    """
    record: Any = _new(logging.LogRecord)
    created, msecs, relative = _times()
    record.name = name
    record.msg = msg
    if args and len(args) == 1:
        only = args[0]
        if type(only) not in _NO_MAPPING and isinstance(only, Mapping) and only:
            args = only
    record.args = args
    record.levelname = logging.getLevelName(level)
    record.levelno = level
    record.pathname = pathname
    try:
        record.filename, record.module = _names[pathname]
    except Exception:  # a new one, or no text at all
        record.filename, record.module = _names_of(pathname)
    record.exc_info = exc_info
    record.exc_text = None
    record.stack_info = sinfo
    record.lineno = lineno
    record.funcName = func
    record.created = created
    record.msecs = msecs
    record.relativeCreated = relative
    threads = logging.logThreads
    record.thread = threading.get_ident() if threads else None
    record.threadName = threading.current_thread().name if threads else None
    if logging.logMultiprocessing:
        record.processName = _process_name() if "multiprocessing" in _modules else "MainProcess"
    else:
        record.processName = None
    record.process = os.getpid() if logging.logProcesses else None
    if sys.version_info >= (3, 12):
        record.taskName = _task_name() if logging.logAsyncioTasks else None
    return record  # type: ignore[no-any-return]


#: In Python, whatever there is in C.
pure_log_record: Callable[..., logging.LogRecord] = fast_log_record
# From 3.13 on an object keeps its attributes outside its dictionary until that is asked for, and Python, which sets one
# after the other, is quicker than C that gives it a dictionary: 2.8 against 3.0 µs.
if core is not None and sys.version_info < (3, 13):
    fast_log_record = core.Factory(
        pure_log_record,
        globals(),
        _start,
        _process_name,
        _task_name if sys.version_info >= (3, 12) else None,
        vars(logging),
        vars(threading),
        vars(os),
        logging.LogRecord,
        native.get_ident,
    )


def matches_standard() -> bool:
    """Whether this Python's ``LogRecord`` has the same fields in the same order, with the same values."""
    call = ("a", logging.INFO, __file__, 1, "%s", ("b",), None, "f", None)
    # The second time by what the compiled path has kept of the first.
    try:
        makers = (pure_log_record, fast_log_record, fast_log_record)
        return all(_are_alike(vars(make(*call)), vars(logging.LogRecord(*call))) for make in makers)
    except Exception:
        return False


def _are_alike(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    same = [*ours] == [*theirs]
    return same and all(ours[field] == theirs[field] for field in ours if field not in _VARYING)


def install() -> bool:
    """Make ``fast_log_record`` the record factory, if nobody has set another one; whether it is."""
    current = logging.getLogRecordFactory()
    if current is fast_log_record:
        return True
    if current is not logging.LogRecord:
        say("fast-records", f"fast_records: the application's own record factory stays: {current!r}")
        return False
    if not matches_standard():
        say("fast-records", f"fast_records: not with the LogRecord of Python {sys.version.split()[0]}")
        return False
    logging.setLogRecordFactory(fast_log_record)
    return True
