"""Loading a configuration again when a file of it changes or a signal comes, without anybody's event loop."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.filestate import FileState, look
from otel_stdlib.facts.threads import Event, Thread

__all__ = ["Watcher"]


class Watcher:
    """A thread that looks at files now and then.

    Args:
        files: the files, each with what ``look`` gave before it was read: a change since then is one,
            while a file that is away is waited for. None at all: only the signal counts.
        interval: seconds between looks.
        signal_name: for example ``SIGHUP``; None: no signal. The handler that was there before is
            called as well. It can be set from the main thread only; elsewhere that is said.
        on_change: called on the thread. What it raises is said and does not end the thread.
    """

    def __init__(
        self,
        files: Mapping[str, FileState],
        interval: float,
        signal_name: str | None,
        on_change: Callable[[], None],
    ) -> None:
        self.signal_name = signal_name
        self._seen = dict(files)
        self._interval = interval
        self._signal = None if signal_name is None else signal.Signals[signal_name]
        self._on_change = on_change
        self._wake = Event()
        self._stopping = False
        self._signalled = False
        self._thread: Thread | None = None
        self._before: Any = None
        self._pid = os.getpid()

    def start(self) -> None:
        """Start looking."""
        if self._signal is not None:
            try:
                self._before = signal.getsignal(self._signal)
                signal.signal(self._signal, self._on_signal)
            except ValueError:
                name = self._signal.name
                say(
                    f"signal:{name}",
                    f"{name} can be set only from the main thread: it reloads nothing",
                    force=True,
                )
                self._signal = None
        self._start_thread()

    def _start_thread(self) -> None:
        self._thread = Thread(target=self._run, name="otel-stdlib-reload")
        self._thread.start()

    def after_fork_in_child(self) -> None:
        """Look on in a forked child, where the thread is not."""
        if self._pid == os.getpid() or self._thread is None or self._stopping:
            return
        self._pid = os.getpid()
        self._wake = Event()
        try:
            self._start_thread()
        except RuntimeError:
            return

    def change(self, files: Mapping[str, FileState], interval: float) -> None:
        """Look at other files, or at another pace. The signal stays: only the main thread could set it anew."""
        self._seen = dict(files)
        self._interval = interval

    def stop(self, *, wait: bool = True) -> None:
        """End the thread and give the signal back. ``wait``: for the thread, unless it is the caller."""
        self._stopping = True
        self._wake.set()
        if wait and self._thread is not None and not self._thread.is_current():
            self._thread.join(5.0)
        if self._signal is not None:
            try:
                if signal.getsignal(self._signal) == self._on_signal:
                    signal.signal(self._signal, self._before if self._before is not None else signal.SIG_DFL)
            except ValueError:
                return

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Nothing but flags: an Event's lock may be held by the very thread that is interrupted.
        self._signalled = True
        if callable(self._before):
            self._before(number, frame)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(min(self._interval, 0.25) if self._signal is not None else self._interval)
            if self._stopping:
                return
            self._check()

    def _check(self) -> None:
        seen = self._seen
        found = {path: look(path) for path in seen}
        changed = {path: state for path, state in found.items() if state is not None and state != seen[path]}
        if not changed and not self._signalled:
            return
        self._signalled = False
        seen.update(changed)
        try:
            self._on_change()
        except Exception as error:  # a loop cannot die
            say("reload", f"reloading failed: {type(error).__name__}: {error}")
