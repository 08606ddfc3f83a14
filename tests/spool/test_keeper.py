"""The background side: segments ahead, release, eviction, shedding, blocking, syncing."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_stdlib.spool.answers import DROPPED, NO_FLOOR
from otel_stdlib.spool.keeper import Evicted, Keeper
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.segment import Segment
from tests.spool.helpers import SMALL, make_spool, payload_numbers, put, root_at


class Kept:
    """A spool with its keeper and one cursor, set by hand."""

    def __init__(self, root: object, options: SpoolOptions = SMALL) -> None:
        self.spool = make_spool(root, options)  # type: ignore[arg-type]
        self.cursor = 0
        self.evicted: list[Evicted] = []
        #: The segments that were there when an eviction was told.
        self.there: list[set[int]] = []
        self.keeper = Keeper(self.spool, lambda: [self.cursor], self._take)

    def _take(self, lost: Sequence[Evicted]) -> None:
        self.evicted += lost
        self.there.append(set(self.spool.segments))

    def lost(self) -> Counter[int]:
        """Evicted records by severity."""
        return sum((entry.by_severity for entry in self.evicted), Counter())


def test_a_segment_is_ready_before_it_is_needed(tmp_path: Path) -> None:
    """Once the current segment is used a little, the one after it exists, its pages written."""
    kept = Kept(root_at(tmp_path))
    put(kept.spool, 1)
    kept.keeper.tend(0.0)
    assert list(kept.spool.segments) == [kept.spool.current().number]
    current = kept.spool.current()
    while current.reserved - current.base < current.capacity / 8:
        put(kept.spool, 1)
    kept.keeper.tend(0.1)
    following = kept.spool.chain[kept.spool.current().number]
    assert following.prepared


def test_delivered_segments_are_deleted(tmp_path: Path) -> None:
    """Files go when every cursor has left them, and not before."""
    kept = Kept(root_at(tmp_path))
    put(kept.spool, 2000)
    files = len(os.listdir(kept.spool.directory.fd))  # type: ignore[union-attr]
    kept.keeper.tend(0.0)
    assert payload_numbers(kept.spool, kept.spool.seed) == list(range(2000))
    kept.cursor = kept.spool.head()
    kept.keeper.tend(1.0)
    left = sorted(kept.spool.segments)
    assert left[0] == kept.spool.current().number
    assert len(os.listdir(kept.spool.directory.fd)) < files  # type: ignore[union-attr]


def test_the_oldest_segment_goes_at_the_cap_and_is_counted(tmp_path: Path) -> None:
    """Evicted plus readable is everything appended; the cap holds."""
    kept = Kept(
        root_at(tmp_path), SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 20, overflow="drop_oldest")
    )
    taken = 0
    for round_ in range(200):
        taken += sum(lsn != DROPPED for lsn in put(kept.spool, 200, first=200 * round_))
        kept.keeper.tend(float(round_))
    assert kept.spool.used_bytes() <= 1 << 20
    readable = payload_numbers(kept.spool, kept.spool.seed)
    assert taken == 40_000
    assert kept.lost() == Counter({9: taken - len(readable)})
    assert readable == list(range(40_000 - len(readable), 40_000))


def test_only_what_a_cursor_had_not_read_counts_as_lost(tmp_path: Path) -> None:
    """A destination half through an evicted segment lost the second half."""
    kept = Kept(
        root_at(tmp_path), SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 18, overflow="drop_oldest")
    )
    lsns = put(kept.spool, 1500)
    kept.cursor = lsns[30]
    kept.keeper.tend(0.0)
    assert kept.evicted
    remaining = payload_numbers(kept.spool, kept.spool.seed)
    assert kept.lost()[9] == remaining[0] - 30


def test_shed_refuses_low_levels_near_the_cap_and_takes_high_ones(tmp_path: Path) -> None:
    """From 80 % on INFO is refused and counted; WARNING is still taken; delivery ends it."""
    kept = Kept(root_at(tmp_path), SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 21))
    while kept.keeper.waiting_bytes() <= 0.8 * (1 << 21):
        put(kept.spool, 500)
        kept.keeper.tend(0.0)
    assert put(kept.spool, 1, level=20) == [DROPPED]
    assert put(kept.spool, 1, level=30) != [DROPPED]
    assert kept.spool.counters.get("shed:9") == 1
    kept.cursor = kept.spool.head()
    kept.keeper.tend(1.0)
    assert kept.spool.floor == NO_FLOOR
    assert put(kept.spool, 1, level=20) != [DROPPED]


def test_block_waits_for_room_and_loses_nothing(tmp_path: Path) -> None:
    """With ``block`` a full spool holds the log call until a segment is delivered."""
    options = SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 19, overflow="block", block_timeout=60)
    kept = Kept(root_at(tmp_path), options)
    while kept.spool.floor == NO_FLOOR:
        put(kept.spool, 50)
        kept.keeper.tend(0.0)
    done: list[list[int]] = []
    thread = threading.Thread(target=lambda: done.append(put(kept.spool, 1)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    kept.cursor = kept.spool.head()
    kept.keeper.tend(1.0)
    thread.join(60)
    assert done
    assert done[0] != [DROPPED]
    assert not kept.evicted


def test_block_gives_up_at_its_deadline(tmp_path: Path) -> None:
    """The wait is bounded; what is given up is counted."""
    options = SpoolOptions(segment_bytes=64 << 10, max_bytes=1 << 19, overflow="block", block_timeout=0.05)
    kept = Kept(root_at(tmp_path), options)
    while kept.spool.floor == NO_FLOOR:
        put(kept.spool, 50)
        kept.keeper.tend(0.0)
    begin = time.monotonic()
    assert put(kept.spool, 1) == [DROPPED]
    assert time.monotonic() - begin >= 0.05
    assert kept.spool.counters.get("block_timeout:9") == 1


def test_sync_covers_what_was_published_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every segment with unsynced records is synced, then ``synced`` moves; a refusal leaves it."""
    kept = Kept(root_at(tmp_path))
    put(kept.spool, 2000)
    seen: list[int] = []
    monkeypatch.setattr(os, "fdatasync", seen.append)
    kept.keeper.sync()
    assert kept.spool.synced == kept.spool.head()
    assert set(seen) == {s.descriptor.fd for s in kept.spool.segments.values() if s.descriptor}
    seen.clear()
    put(kept.spool, 1)
    kept.keeper.sync()
    assert len(seen) == 1

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    before = kept.spool.synced
    put(kept.spool, 1)
    with pytest.raises(OSError, match="Input/output"):
        kept.keeper.sync()
    assert kept.spool.synced == before


def test_an_eviction_is_told_before_the_segment_goes(tmp_path: Path) -> None:
    """Whoever no longer finds a segment, and therefore passes over it, finds its records counted."""
    options = SpoolOptions(segment_bytes=1 << 16, max_bytes=1 << 18, overflow="drop_oldest")
    kept = Kept(root_at(tmp_path), options)
    numbers = set()
    for _ in range(60):
        put(kept.spool, 20, size=400)
        numbers |= set(kept.spool.segments)
        kept.keeper.tend(0.0)
    assert kept.there
    gone = sorted(numbers - set(kept.spool.segments))
    assert len(kept.there) == len(gone)
    assert all(number in there for number, there in zip(gone, kept.there, strict=True))


def test_room_is_made_while_log_calls_make_segments(tmp_path: Path) -> None:
    """A segment that a log call adds in the middle of the keeper's look does not end its round."""
    options = SpoolOptions(segment_bytes=1 << 16, max_bytes=1 << 18, overflow="drop_oldest")
    kept = Kept(root_at(tmp_path), options)
    while kept.spool.used_bytes() <= 1 << 18:
        put(kept.spool, 20, size=400)
    segments = kept.spool.segments

    class Number(int):
        def __lt__(self, other: int) -> bool:
            segments.setdefault(1 << 20, Segment(1 << 20, 0, 0, None, None))
            return int(self) < other

        __hash__ = int.__hash__

    kept.spool.segments = segments = {Number(number): segment for number, segment in segments.items()}
    kept.keeper.tend(0.0)
    assert kept.there
