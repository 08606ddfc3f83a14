"""SIGTERM: what waits is delivered before the process dies by the signal.

Python's default for SIGTERM is the operating system's: the process is gone, and no ``atexit`` hook runs. A
server that handles SIGTERM itself often raises it again at its end, with the same effect. The handler of
this file takes the place of that default, and of nothing else.

A signal handler runs in the middle of any Python code of the main thread, which may hold any lock of ours.
So the work is done on another thread, and the main thread waits for it with a limit.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from otel_stdlib.facts import native
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.diagnostics import debug_logger, say
from otel_stdlib.facts.threads import Thread
from otel_stdlib.pipeline import exit as exit_hook
from otel_stdlib.pipeline.exit import Drainable

__all__ = ["install"]

#: Seconds beyond the longest ``shutdown_timeout`` until a drain that waits for a lock is given up.
_GRACE = 1.5
#: Seconds between two looks at whether the drain is done.
_LOOK = 0.002

#: The process that is draining: a second SIGTERM changes nothing. A child that is forked meanwhile is another one.
_draining_pid = 0


def install() -> bool:
    """Take the place of SIGTERM's default; whether that is done. Idempotent.

    A handler that the application or a server has set stays. Only the main thread of the main interpreter
    can set one.
    """
    current = signal.getsignal(signal.SIGTERM)
    if current is _on_sigterm:
        return True
    if current is not signal.SIG_DFL:
        debug_logger.debug("drain_on_sigterm: SIGTERM has the handler %r, which stays", current)
        return False
    try:
        signal.signal(signal.SIGTERM, _on_sigterm)
    except ValueError:
        debug_logger.debug("drain_on_sigterm: a signal handler can be set from the main thread only")
        return False
    return True


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    global _draining_pid
    if _draining_pid == os.getpid():
        return
    _draining_pid = os.getpid()
    try:
        if exit_hook.is_draining():
            exit_hook.then(_die)  # the frame that was interrupted is doing the work
            return
        pipelines = [] if exit_hook.is_exiting() else exit_hook.registered()
        if any(pipeline.drain_on_sigterm for pipeline in pipelines):
            _drain(pipelines)
    except Exception as error:
        say("sigterm", f"the records that wait could not be delivered: {type(error).__name__}: {error}")
    finally:
        _draining_pid = 0
        if not exit_hook.is_draining():
            _die()


def _drain(pipelines: Sequence[Drainable]) -> None:
    done: list[bool] = []

    def drain() -> None:
        try:
            exit_hook.drain(pipelines)
        finally:
            done.append(True)

    for pipeline in pipelines:
        pipeline.forsake_calls()
    deadline = monotonic() + max(pipeline.shutdown_timeout for pipeline in pipelines) + _GRACE
    try:
        Thread(drain, name="otel-stdlib-sigterm").start()
    except RuntimeError:  # the interpreter is ending: the spool keeps what is left
        return
    while not done and monotonic() < deadline:
        native.wait(_LOOK)  # a second signal, Ctrl-C for one, is still heard


def _die() -> None:
    """Die by the signal, as without a handler."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    # Reached where SIGTERM does not kill: by the first process of a container, or by one that blocks it.
    signal.signal(signal.SIGTERM, _on_sigterm)
