"""Reporting a disk that fails under the spool, and that it works again."""

from __future__ import annotations

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.spool.heal import is_in_memory
from otel_stdlib.spool.writer import MEMORY_BYTES, Spool

__all__ = ["DiskReport"]


class DiskReport:
    """Compares the state of a spool with what was reported last. The keeper's thread."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._reported = False

    def tend(self) -> None:
        """Report a change: a failure at most once a minute, its end whenever it was reported."""
        spool = self._spool
        if spool.directory is None:
            return  # reported when it was made
        in_memory = is_in_memory(spool)
        if in_memory and not self._reported:
            limit = min(MEMORY_BYTES, spool.cap) >> 20
            self._reported = say(
                "disk",
                f"the disk of the spool {spool.spool_id} takes no more ({spool.disk_error}): records are kept in up "
                f"to {limit} MiB of memory and do not survive the process until it does",
            )
        elif self._reported and not in_memory and spool.disk_error is None:
            self._reported = False
            say(
                "disk-again",
                f"the disk of the spool {spool.spool_id} works again: nothing is left in memory",
                force=True,
            )
