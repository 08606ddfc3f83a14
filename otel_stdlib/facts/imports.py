"""Importing drivers in the background without stopping the application."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from otel_stdlib.facts.native import monotonic
from otel_stdlib.facts.threads import Lock, acquire, is_green

__all__ = ["load", "load_if_green"]

#: Seconds after which an import no longer waits for those of other threads.
_LONGEST = 10.0

#: The process, and its lock: a forked child must not wait for a thread of its parent's.
_lock: tuple[int, Any] = (0, None)


def load(*names: str) -> None:
    """Import modules, while no other thread of this package imports.

    Delivery threads import their drivers when they begin, all at the same time. A thread of the application,
    or the hub of gevent and eventlet, then waits for the GIL once for each of them, again and again.

    Raises:
        ImportError: one is not installed.
    """
    missing = [name for name in names if name not in sys.modules]
    if not missing:
        return
    lock = _lock_of_process()
    taken = acquire(lock, monotonic() + _LONGEST)
    try:
        for name in missing:
            importlib.import_module(name)
    finally:
        if taken:
            lock.release()


def load_if_green(*names: str) -> None:
    """``load`` where gevent or eventlet has patched the process. Call it when a handler is configured.

    No greenlet runs while the GIL is held, and the initialization of an extension holds it for some 30 ms. Elsewhere
    drivers are imported when delivery begins: a process that never logs does not pay for them, and one that is
    patched later finds ``ssl`` as it was.

    Raises:
        ImportError: one is not installed.
    """
    if is_green():
        load(*names)


def _lock_of_process() -> Any:
    global _lock
    if _lock[0] != os.getpid():
        _lock = os.getpid(), Lock()
    return _lock[1]
