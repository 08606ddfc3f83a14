"""Saying what was lost: one line now and then, from the background thread, never from a log call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.severity import severity_range_name
from otel_stdlib.pipeline.status import distance
from otel_stdlib.spool.keeper import Evicted
from otel_stdlib.spool.writer import Spool

__all__ = ["LossReport", "count_lost", "count_rescued", "left_in", "losses", "say_left", "say_undeliverable"]

#: What the reasons of ``Spool`` and ``Keeper`` mean.
_REASONS = {
    "shed": "refused because the spool is nearly full",
    "evicted": "evicted because the spool is full",
    "spool_full": "refused because the spool is full",
    "block_timeout": "refused after waiting for room in the spool",
    "disk": "refused because the disk takes no more",
    "too_large": "refused because they are larger than half a segment",
    "letters": "refused for good, and went from the dead letters for want of room",
    "memory": "only in memory when delivery ended, and are lost",
    "error": "not taken because of an error in the log call (see logging.Handler.handleError)",
    "filter": "kept back because a filter of a handler raised an error",
    "closed": "refused by a handler that was closed again and again",
}


def losses(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Lost records by reason and by the name of their severity's range, from ``reason:severity`` counts."""
    found: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        if count <= 0:
            continue  # counted as evicted and then delivered all the same
        reason, _, severity = name.partition(":")
        by_name = found.setdefault(reason, {})
        label = severity_range_name(int(severity or 0)) or "UNSPECIFIED"
        by_name[label] = by_name.get(label, 0) + count
    return found


def say_undeliverable(spool_id: str, size: int) -> None:
    """Report records that were logged to a queue handler without handlers, and how to send them."""
    if not size:
        return
    say(
        f"undeliverable:{spool_id}",
        f"{size} bytes of records stay in the spool {spool_id}: no handler was configured for them; send them "
        "with 'otel-stdlib spool drain --config FILE --to HANDLER'",
        force=True,
    )


def left_in(spool: Spool, cursors: Iterable[int], workers: Mapping[str, DestinationWorker]) -> str:
    """What each destination leaves on the disk and its last error; "" for nothing. While its sources are open.

    Without a destination the spool is reported here: nothing delivers it by itself.
    """
    size = max(distance(spool, cursor, True) for cursor in cursors)
    if not workers:
        say_undeliverable(spool.spool_id, size)
    if not workers or not size:
        return ""
    parts = []
    for worker in workers.values():
        backlog, state = worker.backlog(), worker.status.snapshot()
        # What only memory held is lost, and counted as that.
        backlog = replace(backlog, records=max(0, backlog.records - state["memory"]))
        if backlog.records:
            error = state["last_error"]
            reason = "there was no time to deliver them" if error is None else f"last error: {error}"
            verb = "waits" if backlog.records == 1 else "wait"
            parts.append(f"{backlog.text} for {worker.name} {verb} in the spool ({reason})")
    return "; ".join(parts)


def say_left(name: str, spool_id: str, left: str) -> None:
    """Report what a stopped generation leaves in its spool, as ``left_in`` describes it."""
    if left:
        say(f"left:{spool_id}", f"{name}: {left}. The next process delivers them from {spool_id}", force=True)


def count_lost(
    workers: Mapping[str, DestinationWorker], counters: Counters, reason: str, lost: Sequence[Evicted]
) -> None:
    """Count what each destination lost, there and in all; without a destination it is lost once."""
    if not workers:
        _add(counters, reason, lost[0].by_severity)
        return
    for worker, entry in zip(workers.values(), lost, strict=True):
        worker.status.counters.add(reason, sum(entry.by_severity.values()))
        _add(counters, reason, entry.by_severity)


def count_rescued(worker: DestinationWorker, counters: Counters, counts: Mapping[int, int]) -> None:
    """Take back what was counted as evicted and was delivered all the same."""
    worker.status.counters.add("evicted", -sum(counts.values()))
    _add(counters, "evicted", {severity: -count for severity, count in counts.items()})


def _add(counters: Counters, reason: str, counts: Mapping[int, int]) -> None:
    for severity, count in counts.items():
        counters.add(f"{reason}:{severity}", count)


class LossReport:
    """Compares counts with those said last, and says the difference."""

    def __init__(self, name: str, counters: Counters) -> None:
        self._name = name
        self._counters = counters
        self._said: dict[str, int] = {}

    def tend(self) -> None:
        """Say what was lost since the last time that something was said. At most one line per reason a minute."""
        counts = self._counters.snapshot()
        fresh = {name: count - self._said.get(name, 0) for name, count in counts.items()}
        for reason, by_severity in losses({n: c for n, c in fresh.items() if c > 0}).items():
            total = sum(by_severity.values())
            parts = ", ".join(f"{count} {label}" for label, count in by_severity.items())
            meaning = _REASONS.get(reason, reason)
            if say(f"lost:{self._name}:{reason}", f"{self._name}: {total} records were {meaning} ({parts})"):
                self._said.update({n: c for n, c in counts.items() if n.partition(":")[0] == reason})
