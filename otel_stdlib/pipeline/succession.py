"""From a retired generation to the one that follows it: what waits for a destination that both have.

After a configuration is loaded again, the new generation has the password, the token or the certificate of
now, and the old one may have one that is refused. So when a destination of the old one fails and the new
one has it too, by its identity, the old one ends its deliveries between two batches and lets go of its
spool; the new one adopts that and goes on from the saved cursors. What the old one delivers without
trouble it goes on delivering.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any

from otel_stdlib.delivery.backlog import backlog_of
from otel_stdlib.delivery.contract import Source
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.threads import wait_until

if TYPE_CHECKING:
    from otel_stdlib.pipeline.generation import Generation

__all__ = ["add_lag", "enter", "flush", "is_left_behind", "predecessors"]

#: Seconds between two looks at whether a flushed generation has handed its records over.
_LOOK = 0.1

_generations: weakref.WeakSet[Generation] = weakref.WeakSet()
_pid = os.getpid()


def enter(generation: Generation) -> None:
    """Let a generation that starts follow others, and be followed."""
    global _generations, _pid
    if _pid != os.getpid():  # those of the parent
        _generations, _pid = weakref.WeakSet(), os.getpid()
    _generations.add(generation)


def _others(generation: Generation) -> list[Generation]:
    while _pid == os.getpid():
        try:
            return [each for each in _generations if each is not generation]
        except RuntimeError:  # another thread adds one
            continue
    return []


def _waiting(generation: Generation) -> set[str]:
    """The destinations that do not have everything of its spool."""
    head = generation.spool.published
    return {key for key, source in generation.sources.items() if source.cursor < head}


def predecessors(generation: Generation) -> list[Generation]:
    """Retired generations with records for a destination of this one."""
    mine = set(generation.workers)
    return [each for each in _others(generation) if each.is_retiring and _waiting(each) & mine]


def _heir(generation: Generation, keys: set[str]) -> Generation | None:
    """A running generation with all of these destinations that looks for orphans where this one's spool is."""
    directory = generation.spool.directory
    for each in _others(generation):
        theirs = each.spool.directory
        if not each.is_running or each.adopter is None or theirs is None or directory is None:
            continue
        if keys <= set(each.workers) and _is_same(directory.root.fd, theirs.root.fd):
            return each
    return None


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def _is_failing(generation: Generation, key: str) -> bool:
    worker = generation.workers[key]
    return worker.outage_since() is not None or bool(worker.snapshot()["failing"])


def is_left_behind(generation: Generation) -> bool:
    """Whether a retired generation, which waits, has ended its deliveries for another one to go on with them.

    On its keeper's thread, again and again: first its delivery threads are told to leave.
    """
    heir = generation.heir
    if heir is None:
        keys = _waiting(generation)
        if not keys or not all(_is_failing(generation, key) for key in keys):
            return False
        heir = _heir(generation, keys)
        if heir is None or not generation.spool.settle() or _has_memory(generation):
            return False
        generation.heir = heir
        for worker in generation.workers.values():
            worker.leave()
    if any(worker.is_running() for worker in generation.workers.values()):
        return False
    if not heir.is_running or heir.adopter is None:
        generation.heir = None
        for worker in generation.workers.values():
            worker.start()
        return False
    heir.adopter.expect(generation.spool.spool_id)
    return True


def _has_memory(generation: Generation) -> bool:
    """Whether records would be lost with its memory."""
    return any(any(entry.by_severity.values()) for entry in generation.keeper.only_in_memory())


def flush(generation: Generation, timeout: float) -> bool:
    """Wait until its destinations have what was logged before, there and to those that it follows."""
    deadline = monotonic() + timeout
    generation.spool.settle()
    head = generation.spool.published
    done = True
    for key, worker in generation.workers.items():
        target: dict[Source, int] = {generation.sources[key]: head}
        while not (reached := worker.flush(target, max(0.0, min(_LOOK, deadline - monotonic())))):
            if generation.heir is not None or monotonic() >= deadline:
                break
        done &= reached
    if (heir := generation.heir) is not None and not done:
        return flush(heir, max(0.0, deadline - monotonic()))
    if not generation.workers:
        return generation.is_delivered()
    return done and wait_until(lambda: not _is_behind(generation), deadline)


def _is_behind(generation: Generation) -> bool:
    """Whether anything of former generations waits for its destinations."""
    adopter = generation.adopter
    return bool(predecessors(generation)) or (adopter is not None and bool(adopter.expected()))


def add_lag(generation: Generation, key: str, report: dict[str, Any]) -> None:
    """Add to a destination's report what of former generations waits for it."""
    size = records = 0
    worker = generation.workers[key]
    waiting = [
        (each.workers[key], lane)
        for each in predecessors(generation)
        if key in each.workers
        for lane in each.workers[key].lanes()
        if lane.source.live
    ]
    expected = set() if generation.adopter is None else generation.adopter.expected()
    waiting += [(worker, lane) for lane in worker.lanes() if lane.source.origin.spool_id in expected]
    for owner, lane in waiting:
        backlog = backlog_of(lane, None)
        if not backlog.records:
            continue
        records += backlog.records
        size += lane.source.distance(lane.cursor)  # type: ignore[attr-defined]
        report["lag_records_exact"] &= backlog.is_exact
        report["lag_seconds"] = max(report["lag_seconds"], lane.age())
        if owner is not worker:
            theirs = owner.snapshot()
            report["failing"] |= theirs["failing"]
            if report["last_error"] is None:
                report["last_error"], report["last_error_time"] = (
                    theirs["last_error"],
                    theirs["last_error_time"],
                )
    report["retiring_records"] = records
    report["lag_records"] += records
    report["lag_bytes"] += size
