"""The end of an ASGI application: what waits is delivered before the server is told that it may go on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from otel_stdlib.facts import native
from otel_stdlib.facts.threads import Thread
from otel_stdlib.pipeline import exit as exit_hook

__all__ = ["deliver_at_shutdown"]

#: Seconds between two looks of the event loop at whether it is done.
_LOOK = 0.01


async def deliver_at_shutdown() -> None:
    """Deliver what waits, up to each handler's ``shutdown_timeout``, while the event loop goes on."""
    pipelines = exit_hook.registered()
    done: list[bool] = []

    def deliver() -> None:
        try:
            exit_hook.deliver(pipelines)
        finally:
            done.append(True)

    try:
        Thread(deliver, name="otel-stdlib-lifespan").start()
    except RuntimeError:  # no more threads, or the interpreter is ending
        return
    sleep = _sleep_here()
    while not done:
        await sleep(_LOOK)


def _sleep_here() -> Callable[[float], Awaitable[Any]]:
    """The running event loop's ``sleep``: asyncio's or trio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        return _block if trio is None else trio.sleep
    return asyncio.sleep


async def _block(seconds: float) -> None:
    native.wait(seconds)
