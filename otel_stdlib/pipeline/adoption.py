"""Giving the spools of dead processes to the destinations that they were meant for."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.delivery.fallback import Fallback
from otel_stdlib.delivery.sources import OrphanSource
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.threads import Lock
from otel_stdlib.spool.orphan import Orphan, Scanner

__all__ = ["Adopter"]

#: Seconds between scans.
_SCAN_EVERY = 2.0
#: Seconds for which a spool is left alone that has no work for this process.
_SKIP = 60.0
#: Spools that are delivered at once: each holds some descriptors.
_AT_ONCE = 16


class Adopter:
    """Scans one root and feeds what it finds to the workers of one pipeline.

    ``tend`` and ``close`` are called from the keeper's thread; sources finish on delivery
    threads.
    """

    def __init__(
        self,
        scanner: Scanner,
        workers: Mapping[str, DestinationWorker],
        fallbacks: Mapping[str, Fallback] | None = None,
        templates: Container[str] = (),
    ) -> None:
        self._scanner = scanner
        self._workers = workers
        self._fallbacks = fallbacks or {}
        #: Destinations that read templates.
        self._templates = templates
        self._lock = Lock()
        self._serving: dict[str, tuple[Orphan, set[str]]] = {}
        self._finished: list[tuple[str, str]] = []
        self._unclaimed: dict[str, dict[str, Any]] = {}
        self._next_scan = 0.0
        self._hurried = False
        #: Spools of former generations of this process, until they are done with.
        self._expected: set[str] = set()
        self._closed = False
        self.adopted = 0
        #: Orphans that were taken and are done with.
        self.finished = 0

    def tend(self, now: float, is_looking: bool = True) -> None:
        """One round: close what is delivered, look for more every two seconds.

        A closed pipeline does not look: with a hundred of them waiting for a server that hangs,
        each would try the lock of every other one's spool.
        """
        self._settle(now)
        for orphan, _ in list(self._serving.values()):
            orphan.directory.keep_lock()
        if (now < self._next_scan and not self._hurried) or not is_looking:
            return
        self.look(now)

    def look(self, now: float) -> int:
        """Look for orphans now; how many are being delivered. Where ``tend`` is not running any more, too."""
        self._hurried = False
        self._settle(now)
        self._next_scan = now + _SCAN_EVERY
        for orphan in self._scanner.scan(now):
            if self._closed:
                orphan.release()
                break
            if len(self._serving) >= _AT_ONCE:
                orphan.release()
                self._next_scan = now  # more are waiting: go on as soon as one is done
                break
            self._take(orphan, now)
        self._expected -= {name for name in self.expected() if self._scanner.is_gone(name)}
        return len(self._serving)

    def expect(self, spool_id: str) -> None:
        """A former generation of this process is about to let go of a spool. Any thread."""
        self._expected.add(spool_id)

    def expected(self) -> set[str]:
        """The spools of ``expect`` that are not done with."""
        return set(self._expected)

    def hurry(self) -> None:
        """Look in the next round. Any thread."""
        self._hurried = True

    def _take(self, orphan: Orphan, now: float) -> None:
        if orphan.is_finished():
            self._remove(orphan)
            return
        open_targets = {target.hash for target in orphan.targets if not orphan.is_settled(target.hash)}
        ours = open_targets & set(self._workers)
        if not ours or orphan.manifest is None:
            self._leave(orphan, open_targets, now)
            return
        origin = Origin(orphan.spool_id, orphan.manifest.resource)
        self._serving[orphan.spool_id] = (orphan, ours)
        self.adopted += 1
        for key in ours:
            template = key in self._templates
            source = OrphanSource(orphan, origin, key, template)
            self._workers[key].add_source(source, on_done=self._on_done)
            if key in self._fallbacks:
                self._fallbacks[key].add_view(OrphanSource(orphan, origin, key, template))

    def _on_done(self, source: Any) -> None:
        with self._lock:
            self._finished.append((source.origin.spool_id, source.target_hash))

    def _settle(self, now: float) -> None:
        with self._lock:
            finished, self._finished = self._finished, []
        for spool_id, key in finished:
            if spool_id not in self._serving:
                continue
            orphan, waiting = self._serving[spool_id]
            waiting.discard(key)
            if waiting:
                continue
            del self._serving[spool_id]
            self.finished += 1
            rest = {target.hash for target in orphan.targets if not orphan.is_settled(target.hash)}
            if rest:
                self._leave(orphan, rest, now)
            else:
                self._remove(orphan)

    def _remove(self, orphan: Orphan) -> None:
        resource = b"{}" if orphan.manifest is None else orphan.manifest.resource
        origin = Origin(orphan.spool_id, resource)
        self._unclaimed.pop(orphan.spool_id, None)
        self._expected.discard(orphan.spool_id)
        try:
            orphan.remove()
        except OSError as error:
            say("orphan-remove", f"the delivered spool {orphan.spool_id} could not be deleted: {error}")
            return
        for target in orphan.targets:
            worker = self._workers.get(target.hash)
            if worker is not None:
                worker.forget(origin)
            if target.hash in self._fallbacks:
                self._fallbacks[target.hash].forget(origin)

    def _leave(self, orphan: Orphan, open_targets: set[str], now: float) -> None:
        """Nobody here can deliver the rest: it stays for another process, or to be sent by hand."""
        waiting = [target.name for target in orphan.targets if target.hash in open_targets]
        self._unclaimed[orphan.spool_id] = {
            "spool_id": orphan.spool_id,
            "bytes": orphan.size_bytes(),
            "targets": waiting,
            "manifest": orphan.manifest is not None,
        }
        self._expected.discard(orphan.spool_id)
        self._scanner.skip(orphan.spool_id, now + _SKIP)
        orphan.release()

    def deliver(self, deadline: float) -> None:
        """Deliver what dead processes left, on the calling thread, for as long as that gets anywhere."""
        finished = -1
        while self.look(monotonic()) and self.finished > finished and monotonic() < deadline:
            finished = self.finished
            for worker in self._workers.values():
                worker.drain_here(deadline)

    def close(self) -> None:
        """Let go of every orphan: the next process goes on from the saved cursors."""
        self._closed = True
        for orphan, _ in list(self._serving.values()):  # the keeper's thread may be late, and still at it
            orphan.release()
        self._serving.clear()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors."""
        for orphan, _ in self._serving.values():
            orphan.directory.abandon()
        self._serving.clear()

    def snapshot(self) -> dict[str, Any]:
        """Its part of a status report."""
        return {
            "adopted": self.adopted,
            "serving": len(self._serving),
            "unclaimed": list(self._unclaimed.values()),
        }
