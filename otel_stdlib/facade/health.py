"""What ``get_health_status`` says: every back end, the queue in front of it, and one word for all."""

from __future__ import annotations

from typing import Any

from otel_stdlib.facade.assembly import Assembly

__all__ = ["closed_status", "health_status"]

#: What one back end did not get, though the queue had taken it.
_LOST = ("rejected", "damaged", "evicted", "memory")


def closed_status() -> dict[str, Any]:
    """The status when nothing is configured, or everything is closed."""
    return {"status": "closed", "circuit_breaker_open": False, "backends": {}, "queue": {}, "problems": []}


def health_status(assembly: Assembly, problems: list[str]) -> dict[str, Any]:
    """A report of plain values. Any thread; it asks nobody and never waits.

    ``status`` is ``healthy``; or ``degraded`` when a back end fails, the queue lost records, is
    detached or in memory only, or the configuration has problems.
    """
    queue = assembly.queue.health()
    destinations = queue.pop("destinations", {})
    backends = {name: _backend(kind, destinations.get(name)) for name, kind in assembly.kinds.items()}
    is_open = any(backend["circuit_breaker_open"] for backend in backends.values())
    is_well = not (
        is_open
        or any(backend["failing"] for backend in backends.values())
        or any(queue.get("dropped", {}).values())
        or problems
        or not queue.get("attached", True)
        or queue.get("disk_error")
        or (queue.get("in_memory") and assembly.queue.pipeline.options.durability != "memory")
    )
    return {
        "status": "healthy" if is_well else "degraded",
        "circuit_breaker_open": is_open,
        "backends": backends,
        "queue": queue,
        "problems": list(problems),
    }


def _backend(kind: str, found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        # Nothing was logged in this process yet.
        found = {"state": "idle"}
    breaker = found.get("circuit_breaker", "closed")
    return {
        "type": kind,
        "state": found.get("state", "idle"),
        "circuit_breaker": breaker,
        "circuit_breaker_open": breaker != "closed",
        "failing": bool(found.get("failing", False)),
        "queue_depth_bytes": found.get("lag_bytes", 0),
        "queue_age_seconds": found.get("lag_seconds", 0.0),
        "sent": found.get("sent", 0),
        "duplicates": found.get("duplicates", 0),
        "retried": found.get("retried", 0),
        "dropped": {reason: found[reason] for reason in _LOST if found.get(reason)},
        "last_error": found.get("last_error"),
        "last_error_time": found.get("last_error_time"),
        "last_success_time": found.get("last_success_time"),
        "counts": dict(found.get("counts", {})),
        **({"fallback": found["fallback"]} if "fallback" in found else {}),
    }
