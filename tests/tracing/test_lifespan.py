"""The end of an ASGI application: what it logged is delivered before the server hears that it is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import ASGITraceMiddleware
from otel_stdlib.delivery.contract import Batch
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import JSONLFileHandler
from tests.support import whole_lines


class Down(JSONLFileHandler):
    """A handler whose destination takes nothing."""

    def make_destination(self) -> Any:
        """One that refuses."""
        made = super().make_destination()

        def refuse(batch: Batch) -> None:
            raise RetryableError("down")

        made.deliver = refuse  # type: ignore[method-assign]
        return made


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Logs its own shutdown."""
    logging.getLogger("app").warning("shutting down")
    await send({"type": "lifespan.shutdown.complete"})


async def shut_down(path: Path) -> tuple[list[int], int]:
    """How many lines there were at each message, and how often another task ran meanwhile."""
    lines: list[int] = []
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    async def send(message: MutableMapping[str, Any]) -> None:
        assert message == {"type": "lifespan.shutdown.complete"}
        lines.append(len(whole_lines(path)))

    other = asyncio.create_task(tick())
    await ASGITraceMiddleware(application)({"type": "lifespan"}, None, send)  # type: ignore[arg-type]
    other.cancel()
    return lines, ticks


@pytest.mark.parametrize("kind", [JSONLFileHandler, Down])
def test_what_waits_is_delivered_first(tmp_path: Path, kind: type[JSONLFileHandler]) -> None:
    """The loop goes on meanwhile, and a destination that is down is not waited for until the deadline."""
    path = tmp_path / "out.jsonl"
    handler = kind(path, shutdown_timeout=3600.0)
    logging.getLogger("app").addHandler(handler)
    lines, ticks = asyncio.run(shut_down(path))
    assert lines == [0 if kind is Down else 1]
    assert ticks > 0
    handler.stop(1.0)
