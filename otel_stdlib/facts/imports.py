"""Importing drivers in the background without stopping the application."""

from __future__ import annotations

import importlib
import os
import sys

from otel_stdlib.facts import native
from otel_stdlib.facts.native import monotonic
from otel_stdlib.facts.threads import Lock, acquire, is_green, wait_until

__all__ = ["load", "load_if_green"]

#: Seconds after which an import no longer waits for those of other threads, nor a fork for any.
_LONGEST = 10.0


class _Turns:
    """Whose turn it is to import in this process, and which threads are or want to be at it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.threads: dict[int, None] = {}
        self.taken_for_fork = False


_turns = _Turns()
_hooked = False


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
    _register_hooks()
    turns, thread = _turns, native.get_ident()
    turns.threads[thread] = None
    taken = acquire(turns.lock, monotonic() + _LONGEST)
    try:
        for name in missing:
            importlib.import_module(name)
    finally:
        turns.threads.pop(thread, None)
        if taken:
            turns.lock.release()


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


def _register_hooks() -> None:
    global _hooked
    if not _hooked and hasattr(os, "register_at_fork"):
        _hooked = True
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_renew)


def _before_fork() -> None:
    """Let imports come to their end.

    A child would wait for good for a module that its parent had half imported: the lock of that module belongs to
    a thread that the child does not have. Those that wait for their turn come first too: then children have the
    drivers in memory that they share, and need not import them while they serve.
    """
    turns, thread = _turns, native.get_ident()
    if thread in turns.threads:
        return  # a module that forks while it is imported
    deadline = monotonic() + _LONGEST
    wait_until(lambda: not turns.threads, deadline)
    turns.taken_for_fork = acquire(turns.lock, deadline)


def _after_fork() -> None:
    turns = _turns
    if turns.taken_for_fork:
        turns.taken_for_fork = False
        turns.lock.release()


def _renew() -> None:
    """A forked child has none of the threads that import."""
    global _turns
    _turns = _Turns()
