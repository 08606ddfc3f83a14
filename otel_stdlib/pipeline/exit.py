"""The end of a process: one atexit hook that drains every pipeline until its deadline.

Registered when the first handler is made, never at import: what the application registers after it
has configured logging runs before, and what that logs is delivered too.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Protocol

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.endings import run_endings

__all__ = [
    "Drainable",
    "deliver",
    "drain",
    "is_draining",
    "is_exiting",
    "prepare",
    "register",
    "registered",
    "then",
]


class Drainable(Protocol):
    """What the hook calls."""

    shutdown_timeout: float
    #: Whether SIGTERM drains, where it would kill the process at once.
    drain_on_sigterm: bool

    def drain_at_exit(self, deadline: float) -> None:
        """Deliver until ``deadline`` (monotonic seconds); what is left stays on disk."""

    def deliver(self, deadline: float) -> None:
        """Deliver until ``deadline`` and go on running; a destination that fails is not waited for."""

    def forsake_calls(self) -> None:
        """The calling thread was interrupted and will not go on: nothing waits for a log call that it is in."""


_pipelines: weakref.WeakSet[Drainable] = weakref.WeakSet()
_prepared = False
_registered_pid = 0
_exiting = False
_draining = False
#: Called when the hook has done its work.
_then: Callable[[], None] | None = None


def prepare() -> None:
    """Register the hook; forked children inherit it. Idempotent."""
    global _prepared
    if not _prepared:
        _prepared = True
        atexit.register(_drain_all)


def register(pipeline: Drainable) -> None:
    """Let the hook drain ``pipeline``. Idempotent; again in every forked child."""
    global _registered_pid
    _pipelines.add(pipeline)
    if _registered_pid == os.getpid():
        return
    _registered_pid = os.getpid()
    _finalize()


class _Child:
    """What multiprocessing knows the call below by."""


_child = _Child()
_is_told = False


def _finalize() -> None:
    # Children of multiprocessing end by os._exit and run no atexit hooks on 3.10 to 3.12; they do
    # run finalizers that have a priority. A process in which another thread is importing the
    # module at this moment, and has it half, is no such child.
    global _is_told
    util = sys.modules.get("multiprocessing.util")
    finalize = getattr(util, "Finalize", None)
    if finalize is None:
        return
    finalize(None, _drain_all, exitpriority=-100)
    # What a child of forkserver or spawn logs while it imports its main module comes before multiprocessing
    # clears the list of finalizers. These calls come right after that.
    tell = getattr(util, "register_after_fork", None)
    if tell is not None and not _is_told:
        _is_told = True
        tell(_child, _finalize_again)


def _finalize_again(_: object) -> None:
    if _registered_pid == os.getpid():
        _finalize()


def is_exiting() -> bool:
    """Whether the hook has begun: no thread can be started any more."""
    return _exiting


def is_draining() -> bool:
    """Whether the hook is at work."""
    return _draining


def then(call: Callable[[], None]) -> None:
    """Call something when the hook has done its work."""
    global _then
    _then = call


def _drain_all() -> None:
    global _exiting, _draining
    _exiting = _draining = True
    try:
        drain(registered())
    finally:
        _draining = False
        if _then is not None:
            _then()


def drain(pipelines: Sequence[Drainable]) -> None:
    """Deliver until each one's deadline; all of them count from now."""
    run_endings()
    now = monotonic()
    for pipeline in pipelines:
        pipeline.drain_at_exit(now + pipeline.shutdown_timeout)


def deliver(pipelines: Sequence[Drainable]) -> None:
    """``drain``, for a process that goes on."""
    run_endings()
    now = monotonic()
    for pipeline in pipelines:
        pipeline.deliver(now + pipeline.shutdown_timeout)


def registered() -> list[Drainable]:
    """Every pipeline. A thread that logs for the first time meanwhile adds one, and a set cannot be walked then."""
    while True:
        try:
            return list(_pipelines)
        except RuntimeError:
            continue


def after_fork_in_child() -> None:
    """A child of an exiting parent is not exiting itself."""
    global _exiting, _draining, _then
    _exiting = _draining = False
    _then = None
