"""What the operating system gives: threads, locks and clocks, whoever patches Python's.

gevent and eventlet put greenlets in the place of threads and locks, before or after this package is
imported; freezegun replaces the clocks wherever it finds them, and time-machine the wall clock. Delivery
needs the real ones: a greenlet inside a driver's C code stops all others, and a deadline on a frozen clock
never comes. So they are taken here, once, and every other file gets them from this room.
"""

from __future__ import annotations

import _thread
import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = [
    "Lock",
    "RLock",
    "ThreadLocal",
    "get_ident",
    "monotonic",
    "start_new_thread",
    "wait",
    "wall",
    "wall_ns",
]


_MODULES = ("thread", "time", "socket", "select")


def original(module: Any, name: str) -> Any:
    """``module.name`` as it was before gevent or eventlet replaced it, at import or since then."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None:
        return gevent.get_original(module.__name__, name)
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and (eventlet.is_monkey_patched("thread") or eventlet.is_monkey_patched("time")):
        return getattr(eventlet.original(module.__name__), name)
    return getattr(module, name)


def _rlock_type() -> Any:
    """The type of re-entrant locks, but not the object that ``threading`` has.

    eventlet's patch looks for instances of that one in everything it can reach, and puts greenlets' locks in
    their places, below running threads. A second copy of the module ``_thread`` has a type of its own.
    """
    if sys.version_info >= (3, 14):
        return original(_thread, "RLock")
    spec: Any = importlib.machinery.BuiltinImporter.find_spec("_thread")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy.RLock


def _unfrozen(name: str) -> Any:
    """A clock of ``time``, also where this package is imported while freezegun freezes it.

    The answer is not the function itself but a wrapper made in C: freezegun looks through the names of all
    modules for the functions that it replaces.
    """
    freezegun = sys.modules.get("freezegun.api")
    return partial(getattr(freezegun, f"real_{name}", None) or getattr(time, name))


start_new_thread: Callable[..., int] = original(_thread, "start_new_thread")
#: Makes a lock. A function, not a type.
Lock: Callable[[], _thread.LockType] = original(_thread, "allocate_lock")
RLock: Any = _rlock_type()
get_ident: Callable[[], int] = original(_thread, "get_ident")
ThreadLocal: Any = original(_thread, "_local")
#: ``time.sleep`` that stops the operating system's thread.
wait: Callable[[float], None] = original(time, "sleep")
#: Seconds from any fixed start, never going back.
monotonic: Callable[[], float] = _unfrozen("monotonic")

_time_ns: Callable[[], int] = _unfrozen("time_ns")


def wall_ns() -> int:
    """Nanoseconds since 1970. Not for records: they carry the time that ``logging`` gives them, frozen or not."""
    time_machine = sys.modules.get("time_machine")  # patches the function in place
    if time_machine is not None:
        try:
            return int(time_machine.escape_hatch.time.time_ns())
        except Exception:  # it raises while nobody travels
            pass
    return _time_ns()


def wall() -> float:
    """Seconds since 1970, as ``wall_ns``."""
    return wall_ns() / 1e9
