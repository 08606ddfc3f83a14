"""What a generation reports about itself."""

from __future__ import annotations

import itertools
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from otel_stdlib._native import core
from otel_stdlib.pipeline.succession import add_lag
from otel_stdlib.spool.heal import is_in_memory
from otel_stdlib.spool.writer import Spool

if TYPE_CHECKING:
    from otel_stdlib.pipeline.generation import Generation

__all__ = ["distance", "status_of"]


def status_of(generation: Generation) -> dict[str, Any]:
    """Its part of ``health()``: see ``docs/health.md``. Any thread; never waits."""
    spool = generation.spool
    destinations: dict[str, Any] = {}
    for key, worker in generation.workers.items():
        destination = worker.snapshot()
        destination["lag_bytes"] = distance(spool, generation.sources[key].cursor)
        backlog = worker.backlog()
        destination["lag_records"], destination["lag_records_exact"] = backlog.records, backlog.is_exact
        add_lag(generation, key, destination)
        if key in generation.fallbacks:
            destination["fallback"] = generation.fallbacks[key].snapshot()
        destinations[_free_name(worker.name, destinations)] = destination
    report: dict[str, Any] = {
        "destinations": destinations,
        "accelerated": core is not None,
        "spool_id": spool.spool_id,
        "in_memory": is_in_memory(spool),
        "used_bytes": spool.used_bytes(),
        "memory_bytes": sum([s.capacity for s in list(spool.segments.values()) if not s.on_disk]),
        "cap_bytes": spool.cap,
        "disk_error": None if spool.disk_error is None else str(spool.disk_error),
    }
    if generation.adopter is not None:
        report["orphans"] = generation.adopter.snapshot()
    return report


def _free_name(name: str, taken: Container[str]) -> str:
    """``name``, or with the first free number: handlers of one kind need no names of their own."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain((name,), numbered) if free not in taken)


def distance(spool: Spool, cursor: int, only_on_disk: bool = False) -> int:
    """How many bytes of its segments lie between ``cursor`` and its end."""
    head = spool.published
    parts = [
        min(head, segment.base + segment.capacity) - max(cursor, segment.base)
        for segment in list(spool.segments.values())
        if segment.on_disk or not only_on_disk
    ]
    return sum(part for part in parts if part > 0)
