"""The writing side of this process's own spool: the part that runs in a log call."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import SpoolFull
from otel_stdlib.facts.threads import RLock, sleep
from otel_stdlib.spool.answers import DROPPED, FULL, NO_FLOOR, SEALED
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.frame import MAGIC, MAX_PAYLOAD, PREFIX_SIZE, pack_prefix, pack_tail, seed_of
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.segment import Segment
from otel_stdlib.spool.supply import Supply

__all__ = ["Spool"]

_crc32 = zlib.crc32
#: Anonymous memory that stands in for a disk that fails, at most.
MEMORY_BYTES = 64 << 20
#: Segments that a burst may make beyond the cap before the background thread has evicted any.
_OVERSHOOT = 2


class Spool:
    """Segments in order, appended to by any thread, read by ``Reader``.

    ``append`` may be re-entered at any point by a signal handler or finalizer of the same
    thread: a reservation is one C call, frames are whole or absent, and ``published`` moves
    only when the outermost call of a thread leaves.
    """

    def __init__(
        self,
        spool_id: str,
        manifest: bytes,
        options: SpoolOptions,
        directory: SpoolDirectory | None,
        counters: Counters,
    ) -> None:
        self.spool_id = spool_id
        self.options = options
        #: The cap in bytes; in memory it is never above ``MEMORY_BYTES``.
        self.cap = options.max_bytes if directory is not None else min(options.max_bytes, MEMORY_BYTES)
        self.directory = directory
        self.counters = counters
        self.manifest = manifest
        self.seed = seed_of(spool_id)
        #: Below this level records are refused: raised by the keeper near the cap.
        self.floor = NO_FLOOR
        self.supply = Supply(options, directory, manifest)
        self.segments: dict[int, Segment] = {}
        #: Which segment follows which; ``setdefault`` decides between two makers.
        self.chain: dict[int, Segment] = {}
        #: The LSN up to which the disk has it, with ``durability: os``.
        self.synced = 0
        self.sealed = False
        #: Sealed, and every call that had begun before has left; how many seconds that is waited for.
        self._quiet, self._patience = False, 1.0
        self._lock = RLock()
        self._depth = 0
        self._deferred = 0
        self._current = self.supply.first()
        self.segments[self._current.number] = self._current
        self._closed = self._current
        #: The LSN below which every frame is committed.
        self.published = self._current.reserved
        self._each: Callable[[Segment], None] | None = (
            self._sync_now if options.durability == "record" else None
        )

    # -- the log call -----------------------------------------------------------------

    def append(self, payload: bytes, level: int, severity: int, time_ns: int, waiting: bool = False) -> int:
        """Keep one record and answer with its LSN, ``DROPPED`` or ``SEALED``. Any thread; never waits.

        With ``overflow: block`` it may wait for room, with ``durability: record`` for the disk.

        Raises:
            OSError, SpoolFull: only with ``durability: record``.
        """
        if level < self.floor and not waiting and not self._admit(severity):
            return DROPPED
        try:
            tail = pack_tail(time_ns, len(payload), level, severity, 0) + payload
        except struct.error:
            level = max(-0x8000, min(level, 0x7FFF))
            time_ns = max(0, min(time_ns, (1 << 63) - 1))
            tail = pack_tail(time_ns, len(payload), level, severity & 0xFF, 0) + payload
        prefix = pack_prefix(MAGIC, _crc32(tail, self.seed))
        size = len(tail) + PREFIX_SIZE
        with self._lock:
            depth = self._depth
            mark = 0
            try:
                self._depth = depth + 1
                segment: Segment | None = self._current
                end = segment.reserve(size, 1)  # type: ignore[union-attr]
                if end > segment.capacity:  # type: ignore[union-attr]
                    segment, end = self._roll(size)
                if segment is not None:
                    start = end - size
                    view = segment.view
                    view[start + PREFIX_SIZE : end] = tail  # type: ignore[index]
                    view[start : start + PREFIX_SIZE] = prefix  # type: ignore[index]
                    mark = segment.base + end
            finally:
                self._depth = depth
                if depth:
                    if mark > self._deferred:
                        self._deferred = mark
                elif mark:
                    self.published = mark if mark > self._deferred else self._deferred
        if segment is None:
            if self.sealed:
                return SEALED
            if waiting:
                return FULL
            reason = self._why_full(size)
            # A nested call holds the lock that the background needs to make room: it cannot wait.
            if depth or reason == "too_large" or self.options.overflow != "block":
                return self._refuse(severity, reason)
            return self._wait(lambda: self.append(payload, level, severity, time_ns, True), severity)
        if self._each is not None:
            self._each(segment)
        return mark - size

    def _roll(self, size: int) -> tuple[Segment | None, int]:
        """A reservation in a following segment. The lock is held; nested calls may do the same."""
        if self.sealed or self._too_large(size):
            return None, 0
        segment = self._current
        while True:
            following = self.chain.get(segment.number)
            if following is None:
                # The background thread was slower than the burst: made here, a large one without its pages written.
                following = self.extend(segment, prepare=False, record=size)
                if following is None:
                    return None, 0
            # A nested call may have gone further meanwhile; then this one walks the chain again,
            # as a segment once full stays full.
            self._current = following
            end = following.reserve(size, 1)
            if self.sealed:
                self._current = self._closed  # sealed while this call went on: it is the last one
            if end <= following.capacity:
                return following, end
            segment = following

    def _why_full(self, size: int) -> str:
        if self._too_large(size):
            return "too_large"
        return "spool_full" if self.disk_error is None else "disk"

    def _too_large(self, size: int) -> bool:
        return size > self.options.segment_bytes // 2 or size > MAX_PAYLOAD

    def _admit(self, severity: int) -> bool:
        if self.options.overflow != "block":
            self._refuse(severity, "shed")
            return False
        return self._wait(lambda: 0 if self.floor == NO_FLOOR else FULL, severity) != DROPPED

    def _wait(self, attempt: Callable[[], int], severity: int) -> int:
        deadline = monotonic() + self.options.block_timeout
        while (answer := attempt()) == FULL:
            if monotonic() >= deadline:
                return self._refuse(severity, "block_timeout")
            sleep(0.005)
        return answer

    def _refuse(self, severity: int, reason: str) -> int:
        self.counters.add(f"{reason}:{severity}")
        if self.options.durability == "record":
            if self.disk_error is not None:
                raise self.disk_error
            raise SpoolFull(f"the spool {self.spool_id} has no room ({reason})")
        return DROPPED

    def _sync_now(self, segment: Segment) -> None:
        if segment.descriptor is None:
            raise SpoolFull("durability 'record' is asked for, but the spool is in memory")
        os.fdatasync(segment.descriptor.fd)

    # -- making segments ----------------------------------------------------------------

    @property
    def disk_error(self) -> OSError | None:
        """Why the disk takes no segment, None while it does."""
        return self.supply.error

    def extend(self, segment: Segment, *, prepare: bool, record: int = 0) -> Segment | None:
        """The segment after ``segment``, with room for ``record`` bytes: made if there is none. None: no room."""
        if self.used_bytes() >= self.cap + _OVERSHOOT * self.options.segment_bytes:
            return None
        size = self.supply.size_after(segment, record)
        made = self.supply.on_disk(size, prepare=prepare, record=record)
        if made is None:
            if self.directory is not None and self.memory_is_full():
                return None
            made = self.supply.in_memory(size, record)
        return self.link(segment, made)

    def link(self, segment: Segment, made: Segment) -> Segment:
        """Put ``made`` behind ``segment``; what is there then, another thread's perhaps."""
        self.segments[made.number] = made
        winner = self.chain.setdefault(segment.number, made)
        if winner is not made:
            self.discard(made)
        return winner

    def discard(self, segment: Segment) -> None:
        """Take a segment out and delete its file."""
        self.segments.pop(segment.number, None)
        self.supply.delete(segment)

    # -- what readers and the keeper ask --------------------------------------------------

    def used_bytes(self) -> int:
        """The size of all its segments."""
        return sum([s.capacity for s in list(self.segments.values())])

    def memory_is_full(self) -> bool:
        """Whether memory that stands in for a failing disk takes no more segments."""
        used = sum([s.capacity for s in list(self.segments.values()) if not s.on_disk])
        return used >= min(MEMORY_BYTES, self.cap)

    def current(self) -> Segment:
        """The segment that is written now."""
        return self._current

    def head(self) -> int:
        """``published``, as readers ask for it."""
        return self.published

    def seal(self) -> None:
        """Take no more records; those in progress are still completed. Idempotent; without the lock."""
        if not self.sealed:
            self._closed = Segment(self._current.number, -1, 0, None, None)
            self.sealed = True
            self._current = self._closed

    def abandon(self) -> None:
        """In a forked child: close what was inherited."""
        self.seal()
        for segment in list(self.segments.values()):
            segment.abandon()
        if self.directory is not None:
            self.directory.abandon()

    def move_to(self, segment: Segment) -> bool:
        """Let what follows go into ``segment``, which lies further on in the chain; False: not now. Keeper."""
        if not self._lock.acquire(timeout=0.1):
            return False
        free = not self._depth and not self.sealed and self._current.number <= segment.number
        if free:
            passed, self._current = self._current, segment
            while passed is not segment:  # full, for whoever comes along the chain
                passed.reserve(passed.capacity, 1)
                passed = self.chain[passed.number]
            self.published = max(self.published, segment.reserved)
        self._lock.release()
        return free

    def settle(self) -> bool:
        """Publish what a call left that was cut short, or overtaken at its end; False while one is still inside."""
        segment = self.segments.get(self._current.number)
        if (segment is None or self.published >= segment.reserved) and self._quiet is self.sealed:
            return True
        # Threads that log at full speed may keep the lock from here: their next call publishes.
        if not self._lock.acquire(timeout=self._patience if self.sealed else 0.1):
            return False
        quiet = not self._depth  # nobody is inside ``append``: all that was reserved is written
        if quiet and segment is not None:
            self.published = max(self.published, segment.reserved)
        self._quiet = quiet and self.sealed
        self._lock.release()
        return quiet

    def forsake_calls(self) -> None:
        """The calling thread was interrupted and does not go on: if it is in a log call, nothing waits for that."""
        if self._lock.acquire(blocking=False):
            self._patience = 0.0 if self._depth else self._patience
            self._lock.release()

    def segment(self, number: int) -> Segment | None:
        """A segment, None when it is gone."""
        return self.segments.get(number)

    def next_number(self, after: int) -> int | None:
        """The lowest segment number above ``after``."""
        return min((number for number in list(self.segments) if number > after), default=None)
