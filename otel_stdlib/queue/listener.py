"""``OTelQueueListener``: a ``QueueListener`` that starts once, stops twice and survives its handlers."""

from __future__ import annotations

import logging
import logging.handlers
import queue as stdlib_queue
import threading
from typing import Any, Protocol

from otel_stdlib.facts.diagnostics import say

__all__ = ["OTelQueueListener"]

#: Seconds after which the thread looks whether it should end, when a full queue took no sentinel.
_POLL = 0.2


class Delivering(Protocol):
    """What a listener needs of the handler whose delivery it starts and stops."""

    def start(self) -> None:
        """Start delivery now."""

    def stop(self, timeout: float | None = None) -> bool:
        """Deliver until the deadline and stop the threads."""


class OTelQueueListener(logging.handlers.QueueListener):
    """Delivers what an ``OTelQueueHandler`` took, or, on a queue of the standard library's, what is put there.

    With an ``OTelQueueHandler`` it starts and stops that handler's delivery threads. With any
    other queue it is the standard library's listener with its traps removed: ``start`` and
    ``stop`` may be called twice, ``stop`` works on a full queue, and a handler that raises
    neither ends the thread nor keeps the record from the other handlers.
    """

    def __init__(self, queue: Any, *handlers: logging.Handler, respect_handler_level: bool = False) -> None:
        super().__init__(queue, *handlers, respect_handler_level=respect_handler_level)
        self._handler: Delivering | None = None
        self._guard = threading.Lock()
        self._ending = False
        owner = getattr(queue, "handler", None)
        if owner is not None and handlers:
            owner.listener = self

    def bind(self, handler: Delivering) -> None:
        """Become the listener of ``handler``."""
        self._handler = handler

    def start(self) -> None:
        """Start delivering. Idempotent; after ``stop`` it starts again."""
        if self._handler is not None:
            self._handler.start()
            return
        with self._guard:
            if self._thread is not None and self._thread.is_alive():
                return
            self._ending = False
            self._thread = threading.Thread(target=self._monitor, name="otel-stdlib-listener", daemon=True)
            self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Deliver what was put before, then stop. Idempotent.

        Waits up to ``timeout`` seconds, by default the handler's ``shutdown_timeout``; on a queue
        of the standard library's without a timeout as long as its handlers take.
        """
        if self._handler is not None:
            self._handler.stop(timeout)
            return
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self.enqueue_sentinel()
        except stdlib_queue.Full:
            self._ending = True
        thread.join(timeout)

    def _monitor(self) -> None:
        while True:
            try:
                record = self._next()
            except stdlib_queue.Empty:
                if self._ending:
                    return
                continue
            if record is self._sentinel:  # type: ignore[attr-defined]
                return
            self.handle(record)
            if hasattr(self.queue, "task_done"):
                self.queue.task_done()

    def _next(self) -> logging.LogRecord:
        if self._ending:
            return self.dequeue(False)
        if type(self).dequeue is not OTelQueueListener.dequeue:
            return self.dequeue(True)
        return self.queue.get(True, _POLL)  # type: ignore[no-any-return,call-arg,unused-ignore]

    def dequeue(self, block: bool) -> logging.LogRecord:
        """Take one record; the override point of the standard library."""
        return super().dequeue(block)

    def handle(self, record: logging.LogRecord) -> None:
        """Give one record to every handler; one that raises does not keep it from the others."""
        record = self.prepare(record)
        for handler in self.handlers:
            if self.respect_handler_level and record.levelno < handler.level:
                continue
            try:
                handler.handle(record)
            except Exception as error:
                say(
                    f"listener:{id(handler)}",
                    f"the handler {handler!r} raised {type(error).__name__}: {error}",
                )
