"""A destination's view of a spool: this process's own, or one that a dead process left."""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.threads import Lock
from otel_stdlib.spool.cursor import CursorFile, cursor_name
from otel_stdlib.spool.envelope import ENVELOPE, pick
from otel_stdlib.spool.frame import Frame, since
from otel_stdlib.spool.orphan import Orphan
from otel_stdlib.spool.reader import Chunk, Reader, Store
from otel_stdlib.spool.writer import Spool

__all__ = ["LiveSource", "LiveView", "OrphanSource", "Pick"]


#: Bytes of the spool that may be delivered while a record before them waits, at most.
_MOST_AHEAD = 128 << 20


class Pick(NamedTuple):
    """What a destination gets of a frame that holds more than one line."""

    #: Its number in the manifest; None: it is not there.
    target: int | None = None
    #: Whether it reads templates.
    template: bool = False


NO_PICK = Pick()


class _Source:
    """What both kinds share: reading, and a cursor that is kept in memory and in a file."""

    live = False

    def __init__(
        self,
        origin: Origin,
        store: Store,
        seed: int,
        open_cursor: Callable[[], CursorFile | None],
        picked: Pick = NO_PICK,
    ) -> None:
        self.origin = origin
        self._picked = picked
        self._store = store
        self._reader = Reader(store, seed)
        self._open_cursor = open_cursor
        self._file: CursorFile | None = None
        #: Everything below is settled.
        self.cursor = 0

    def head(self) -> int:
        """The LSN below which every frame is committed."""
        return self._store.head()

    def load_cursor(self) -> int:
        """Where to begin."""
        if self._file is None:
            try:
                self._file = self._open_cursor()
            except OSError:
                return self.cursor  # a cursor lost is a batch sent again, with the same uids
        if self._file is not None:
            self.cursor = max(self.cursor, self._file.value)
        return self.cursor

    def save_cursor(self, lsn: int) -> None:
        """Keep that everything below ``lsn`` is settled."""
        self.cursor = lsn
        if self._file is None:
            self.load_cursor()
            self.cursor = lsn
        if self._file is not None:
            try:
                self._file.save(lsn)
            except OSError as error:
                self._file = None  # tried again with the next batch
                say(
                    "cursor",
                    f"a position in the spool {self.origin.spool_id} cannot be saved ({error}): if this process is "
                    "killed now, the next one sends some records again",
                )

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Frames from ``start`` on."""
        frames, end, damaged = self._reader.read(start, max_records, max_bytes)
        return Chunk(self._pick(frames), end, damaged)

    def _pick(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        sealed: bool | None = getattr(frames, "sealed", None)  # the compiled walk has looked
        if sealed is None:
            sealed = any(frame.payload[:1] == ENVELOPE for frame in frames)
        if not sealed:
            return frames
        picked = (pick(frame, *self._picked) for frame in frames)
        return [frame for frame in picked if frame is not None]

    def look(self, start: int, max_bytes: int) -> Iterator[tuple[Sequence[Frame], int]]:
        """What lies at ``start`` and above, piece by piece, each with its end. Any thread: it has its own reader."""
        reader = Reader(self._store, self._reader.seed)
        head = self.head()
        while start < head:
            frames, start, _ = reader.read(start, 1_000, max_bytes)
            yield self._pick(frames), start

    def distance(self, start: int) -> int:
        """About how many bytes of segments lie between ``start`` and the end."""
        head = self.head()
        total = 0
        number: int | None = start >> 32
        while number is not None and number <= head >> 32:
            segment = self._store.segment(number)
            if segment is not None:
                low, high = segment.number << 32, (segment.number << 32) + segment.capacity
                total += max(0, min(head, high) - max(start, low))
            number = self._store.next_number(number)
        return total

    def oldest_time_ns(self, start: int) -> int | None:
        """The event time of the first frame at or after ``start``. Any thread: it has its own reader."""
        frames = Reader(self._store, self._reader.seed).read(start, 1, 1 << 16).frames
        return frames[0].time_ns if frames else None

    def close(self) -> None:
        """Release descriptors."""
        self._file = None


class LiveView(_Source):
    """This process's own spool for somebody who reads along: it settles nothing, and holds nothing."""

    live = True

    def __init__(self, spool: Spool, origin: Origin, picked: Pick = NO_PICK) -> None:
        super().__init__(origin, spool, spool.seed, lambda: None, picked)


class LiveSource(_Source):
    """This process's own spool.

    What the keeper evicts counts as lost before it is deleted. Records of it that the delivery
    thread had read by then are delivered all the same; when they are settled, ``on_rescued`` gets
    their number by severity.
    """

    live = True

    def __init__(
        self,
        spool: Spool,
        origin: Origin,
        target_hash: str,
        on_rescued: Callable[[Counter[int]], None],
        picked: Pick = NO_PICK,
    ) -> None:
        directory = spool.directory

        def open_cursor() -> CursorFile | None:
            return None if directory is None else CursorFile(directory.fd, cursor_name(target_hash))

        super().__init__(origin, spool, spool.seed, open_cursor, picked)
        self.cursor = spool.published
        self._on_rescued = on_rescued
        self._lock = Lock()
        #: What was read and is not settled: the stretch in work, and what was read ahead of it.
        self._held: list[Sequence[Frame]] = []
        #: What was counted as lost, from and below, above the cursor.
        self._evicted: list[tuple[int, int]] = []
        #: What is settled above the cursor, while a record below it waits: LSNs and severities.
        self._ahead: list[tuple[array[int], bytearray]] = []
        #: Bytes of the spool that may be settled above the cursor.
        self.most_ahead = min(_MOST_AHEAD, spool.cap // 4)

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Frames from ``start`` on."""
        frames, end, damaged = self._reader.read(start, max_records, max_bytes)
        # What was read from here before, and lingered or was given up, is read again with this.
        self._held = [held for held in self._held if held[0].lsn < start]
        if frames:
            self._held.append(frames)  # what is not for this destination too: it was counted as well
        return Chunk(self._pick(frames), end, damaged)

    def settle_ahead(self, end: int) -> None:
        """What lies below ``end`` is settled, but for what holds the cursor back. No record is kept for it."""
        kept = _from(end, self._held)
        count = sum(map(len, self._held)) - sum(map(len, kept))
        done = list(itertools.islice(itertools.chain.from_iterable(self._held), count))
        self._held = kept
        if done:
            lsns = array("q", (frame.lsn for frame in done))
            self._ahead.append((lsns, bytearray(frame.severity for frame in done)))

    def claim(self, start: int, stop: int) -> int:
        """Note that what lies between is about to be evicted; the cursor. The keeper's thread."""
        with self._lock:
            if self.cursor < stop:
                self._evicted.append((max(self.cursor, start), stop))
            return self.cursor

    def save_cursor(self, lsn: int) -> None:
        """Keep that everything below ``lsn`` is settled."""
        with self._lock:
            super().save_cursor(lsn)
            held, self._held = self._held, _from(lsn, self._held)
            ahead = [(each, bisect_left(each[0], lsn)) for each in self._ahead]
            self._ahead = [(each[0][cut:], each[1][cut:]) for each, cut in ahead if cut < len(each[0])]
            if not self._evicted:
                return
            ranges = self._evicted
            self._evicted = [(low, high) for low, high in ranges if high > lsn]
        read = ((frame.lsn, frame.severity) for frame in itertools.chain.from_iterable(held))
        noted = itertools.chain.from_iterable(
            zip(each[0][:cut], each[1], strict=False) for each, cut in ahead
        )
        rescued = Counter(
            severity
            for number, severity in itertools.chain(read, noted)
            if number < lsn and any(low <= number < high for low, high in ranges)
        )
        if rescued:
            self._on_rescued(rescued)


def _from(lsn: int, held: Sequence[Sequence[Frame]]) -> list[Sequence[Frame]]:
    """What lies at ``lsn`` and above."""
    rest = [frames for frames in held if frames[-1].lsn >= lsn]
    if rest and rest[0][0].lsn < lsn:
        rest[0] = since(rest[0], lsn)
    return rest


class OrphanSource(_Source):
    """An adopted spool."""

    def __init__(self, orphan: Orphan, origin: Origin, target_hash: str, template: bool = False) -> None:
        hashes = [target.hash for target in orphan.targets]
        number = hashes.index(target_hash) if target_hash in hashes else None
        # Two destinations read one orphan on two threads, and a store keeps one segment open at a time.
        store = orphan.new_store()
        super().__init__(
            origin, store, orphan.seed, lambda: orphan.cursor(target_hash), Pick(number, template)
        )
        self.target_hash = target_hash
