"""The end of a process: one atexit hook that drains every pipeline until its deadline.

Registered when the first handler is made, never at import: what the application registers after it
has configured logging runs before, and what that logs is delivered too.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Protocol

from otel_stdlib.facts.clock import monotonic

__all__ = ["Drainable", "is_exiting", "prepare", "register"]


class Drainable(Protocol):
    """What the hook calls."""

    shutdown_timeout: float

    def drain_at_exit(self, deadline: float) -> None:
        """Deliver until ``deadline`` (monotonic seconds); what is left stays on disk."""


_pipelines: weakref.WeakSet[Drainable] = weakref.WeakSet()
_prepared = False
_registered_pid = 0
_exiting = False


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
    # Children of multiprocessing end by os._exit and run no atexit hooks on 3.10 to 3.12; they do
    # run finalizers that have a priority. A process in which another thread is importing the
    # module at this moment, and has it half, is no such child.
    finalize = getattr(sys.modules.get("multiprocessing.util"), "Finalize", None)
    if finalize is not None:
        finalize(None, _drain_all, exitpriority=-100)


def is_exiting() -> bool:
    """Whether the hook has begun: no thread can be started any more."""
    return _exiting


def _drain_all() -> None:
    global _exiting
    _exiting = True
    pipelines = _registered()
    now = monotonic()
    for pipeline in pipelines:
        pipeline.drain_at_exit(now + pipeline.shutdown_timeout)


def _registered() -> list[Drainable]:
    """Every pipeline. A thread that logs for the first time meanwhile adds one, and a set cannot be walked then."""
    while True:
        try:
            return list(_pipelines)
        except RuntimeError:
            continue


def after_fork_in_child() -> None:
    """A child of an exiting parent is not exiting itself."""
    global _exiting
    _exiting = False
