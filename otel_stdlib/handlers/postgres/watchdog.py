"""A limit on how long a call may wait for a server that accepts bytes and never answers.

libpq has no such limit of its own: keepalives and ``tcp_user_timeout`` notice a machine that is
gone, not a server that hangs. The watchdog shuts the socket down, and the call fails.
"""

from __future__ import annotations

import _socket
import os
from collections.abc import Iterator
from contextlib import contextmanager

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.threads import Event, Lock, Thread

__all__ = ["Watchdog"]


class Watchdog:
    """Guards the calls on one connection, each with the same limit.

    The socket is a duplicate: it never becomes another file's number while the driver closes
    and forgets its own. One daemon thread, started with the first call, sleeps as long as the
    limit and needs no signal per call.

    Args:
        fileno: the connection's descriptor.
        limit: seconds that a call may take.
    """

    def __init__(self, fileno: int, limit: float) -> None:
        self.limit = limit
        # Not ``socket.socket``: gevent and eventlet would make the thread a hub for it.
        self._socket = _socket.socket(fileno=os.dup(fileno))
        self._lock = Lock()
        self._closing = Event()
        self._deadline: float | None = None
        self._closed = False
        self._started = False
        #: The limit was reached: the connection is of no use any more.
        self.fired = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Limit the calls inside. Not to be nested."""
        if not self._started:
            self._start()
        self._deadline = monotonic() + self.limit
        try:
            yield
        finally:
            self._deadline = None

    def extend(self) -> None:
        """Begin the limit of the present call anew: something has come."""
        if self._deadline is not None:
            self._deadline = monotonic() + self.limit

    def _start(self) -> None:
        self._started = True
        thread = Thread(target=self._run, name="otel-stdlib-postgres-watchdog")
        try:
            thread.start()
        except RuntimeError:
            return  # the interpreter is ending: the kernel's timeouts remain

    def _run(self) -> None:
        while not self._closed:
            deadline = self._deadline
            # A call that begins later has a later deadline than any sleep that runs now.
            wait = self.limit if deadline is None else deadline - monotonic()
            if wait > 0:
                self._closing.wait(wait)
                continue
            with self._lock:
                if not self._closed:
                    self.fired = True
                    self._shut()
            return

    def _shut(self) -> None:
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass  # it is gone already

    def close(self) -> None:
        """End the thread and release the duplicate. Never waits."""
        with self._lock:
            self._closed = True
            self._closing.set()
            self._socket.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptor. The thread is not here."""
        self._socket.close()
