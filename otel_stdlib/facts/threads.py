"""Threads of the operating system for everything that this package does in the background.

``threading`` is not used for them: under gevent and eventlet its threads are greenlets of one thread, and
what it gave before the patch fits nothing that it gives after it. See ``otel_stdlib.facts.native``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from otel_stdlib.facts import native
from otel_stdlib.facts.native import Lock, RLock, monotonic

__all__ = ["Event", "Lock", "RLock", "Thread", "acquire", "is_green", "is_ours", "sleep", "wait_until"]

#: Seconds between two looks of a greenlet, or of anybody, at what it waits for.
_LOOK = 0.005
_GREEN = ("gevent", "eventlet")

_here = native.ThreadLocal()


def is_ours() -> bool:
    """Whether the calling thread is one of this package."""
    return getattr(_here, "ours", False)


def is_green() -> bool:
    """Whether gevent or eventlet has made Python's threads and locks those of greenlets."""
    module = getattr(time.sleep, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] in _GREEN


def sleep(seconds: float) -> None:
    """Wait. A greenlet of the application lets the others run meanwhile."""
    if is_ours() or not is_green():
        native.wait(seconds)
        return
    try:
        time.sleep(seconds)
    except AssertionError:  # called from the hub itself, where no greenlet can wait
        native.wait(seconds)


def wait_until(reached: Callable[[], bool], deadline: float) -> bool:
    """Look until ``reached()`` or the deadline (monotonic); what the last look found."""
    while not reached():
        rest = deadline - monotonic()
        if rest <= 0:
            return False
        sleep(min(_LOOK, rest))
    return True


def acquire(lock: Any, deadline: float) -> bool:
    """Take a lock that may be held for long; False at the deadline (monotonic)."""
    if is_green() and not is_ours():
        return wait_until(lambda: lock.acquire(False), deadline)
    return bool(lock.acquire(timeout=_bounded(deadline - monotonic())))


def _bounded(timeout: float) -> float:
    return min(max(0.0, timeout), threading.TIMEOUT_MAX)


class Event:
    """A flag to wait for, as ``threading.Event``. There is no lock inside: a signal handler may set it."""

    def __init__(self) -> None:
        self._flag = False
        self._waiters: deque[Any] = deque()

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._flag

    def clear(self) -> None:
        """Reset it."""
        self._flag = False

    def set(self) -> None:
        """Set it and wake everybody who waits. Any thread."""
        self._flag = True
        while self._waiters:
            try:
                waiter = self._waiters.popleft()
            except IndexError:  # another thread sets it too
                return
            waiter.release()

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; whether it is set.

        For threads of this package: no greenlet runs meanwhile.
        """
        if self._flag:
            return True
        waiter = Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            # It may have been set between the first look and the line above.
            return self.is_set() or bool(waiter.acquire(True, _bounded(timeout)))
        finally:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                pass  # taken out to be woken


class Thread:
    """A daemon thread of the operating system. ``threading.enumerate()`` shows it under its name.

    Args:
        target: called on the thread, without arguments.
        name: begins with the prefix by which logging knows a thread of ours.
    """

    def __init__(self, target: Callable[[], None], name: str) -> None:
        self._target = target
        self._name = name
        self._shown: threading.Thread | None = None
        self._running = Lock()
        self._pid = 0
        self._ident = 0

    @property
    def name(self) -> str:
        """Its name; it can be given another one while it runs."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        if self._shown is not None:
            self._shown.name = name

    def start(self) -> None:
        """Start it, once.

        Raises:
            RuntimeError: the interpreter is ending, or the system gives no more threads.
        """
        self._pid = os.getpid()
        self._running.acquire()
        try:
            native.start_new_thread(self._run, ())
        except BaseException:
            self._running.release()
            raise

    def is_alive(self) -> bool:
        """Whether it runs in this process."""
        return self._pid == os.getpid() and self._running.locked()

    def is_current(self) -> bool:
        """Whether the caller runs on it."""
        return self.is_alive() and self._ident == native.get_ident()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end, up to ``timeout`` seconds; whether it has ended."""
        if not self.is_alive():
            return True
        deadline = float("inf") if timeout is None else monotonic() + timeout
        if is_green() and not is_ours():
            return wait_until(lambda: not self.is_alive(), deadline)
        if not self._running.acquire(True, -1 if timeout is None else _bounded(timeout)):
            return False
        self._running.release()
        return True

    def _run(self) -> None:
        try:
            _here.ours = True
            self._ident = native.get_ident()
            self._show()
            self._target()
        finally:
            _drop_hub()
            self._hide()
            self._running.release()

    def _show(self) -> None:
        # Debuggers and coverage hook every thread through these, as ``threading`` does.
        if threading.gettrace() is not None:
            sys.settrace(threading.gettrace())
        if threading.getprofile() is not None:
            sys.setprofile(threading.getprofile())
        self._shown = threading.current_thread()
        self._shown.name = self._name

    def _hide(self) -> None:
        # Up to 3.11 nothing else takes it out of the list, and later only after those who join it go on.
        active: dict[Any, threading.Thread] = getattr(threading, "_active", {})
        for key, thread in list(active.items()):
            if thread is self._shown:
                active.pop(key, None)


def _drop_hub() -> None:
    """Free what gevent has made for a driver's patched sockets on this thread."""
    module = sys.modules.get("gevent._hub_local")
    try:
        hub = module.get_hub_if_exists() if module is not None else None
        if hub is not None:
            hub.destroy(True)
    except Exception:
        return  # the thread is over all the same
