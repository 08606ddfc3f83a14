"""Appending: whole frames, in order, whatever interrupts them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from otel_stdlib.facts.errors import SpoolFull
from otel_stdlib.spool.answers import DROPPED, SEALED
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.writer import Spool
from tests.spool.helpers import SMALL, make_spool, payload_numbers, put, root_at


class TestAppend:
    def test_frames_come_back_in_order_across_segments(self, tmp_path: Path) -> None:
        """What is appended is read back once, in order, over many segments."""
        spool = make_spool(root_at(tmp_path))
        lsns = put(spool, 3000)
        assert lsns == sorted(set(lsns))
        assert len(spool.segments) > 3
        assert payload_numbers(spool, spool.seed) == list(range(3000))

    def test_memory_spool_works_the_same(self) -> None:
        """Without a directory the same segments live in memory."""
        spool = make_spool(None)
        put(spool, 3000)
        assert payload_numbers(spool, spool.seed) == list(range(3000))

    def test_frame_keeps_time_level_and_severity(self) -> None:
        """What stands beside the line comes back with it."""
        from otel_stdlib.spool.reader import Reader

        spool = make_spool(None)
        lsn = spool.append(b"{", 25, 10, 1_700_000_000_123_456_789)
        [frame] = Reader(spool, spool.seed).read(0, 10, 1 << 16).frames
        assert (lsn, 1_700_000_000_123_456_789, 25, 10, b"{") == tuple(frame)

    @pytest.mark.parametrize("level", [1 << 40, -(1 << 40)])
    def test_a_level_beyond_16_bits_is_clamped(self, level: int) -> None:
        """Any integer is a legal level; it is clamped, not refused."""
        spool = make_spool(None)
        assert spool.append(b"x", level, 24, 5) >= 0

    def test_a_record_that_fits_no_segment_is_counted(self, tmp_path: Path) -> None:
        """A record larger than half a segment is dropped with its own reason."""
        spool = make_spool(root_at(tmp_path))
        assert spool.append(b"x" * 70_000, 20, 9, 1) == DROPPED
        assert dict(spool.counters.snapshot()) == {"too_large:9": 1}
        put(spool, 5)
        assert payload_numbers(spool, spool.seed) == list(range(5))

    def test_threads_lose_nothing(self, tmp_path: Path) -> None:
        """Eight threads append at once; every record is there once."""
        spool = make_spool(root_at(tmp_path))
        threads = [
            threading.Thread(target=put, args=(spool, 500), kwargs={"first": 1000 * n}) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = sorted(1000 * n + i for n in range(8) for i in range(500))
        assert sorted(payload_numbers(spool, spool.seed)) == expected

    def test_a_signal_handler_may_append_at_any_point(self, tmp_path: Path) -> None:
        """Signals that append arrive inside appends; all frames are whole and none is missing."""
        spool = make_spool(root_at(tmp_path), SpoolOptions(segment_bytes=64 << 10, max_bytes=64 << 20))
        nested: list[int] = []
        armed = [True]

        def on_signal(*_: object) -> None:
            nested.append(1_000_000 + len(nested))
            put(spool, 1, first=nested[-1])
            if armed:
                signal.setitimer(signal.ITIMER_REAL, 0.0003)  # one at a time: no handler inside a handler

        before = signal.signal(signal.SIGALRM, on_signal)
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
        try:
            put(spool, 30_000)
        finally:
            armed.clear()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        spool.settle()
        assert len(nested) > 10
        assert sorted(payload_numbers(spool, spool.seed)) == [*range(30_000), *nested]

    # It may also come inside a hook of the garbage collector that a test library has: no fault of the spool's.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_exception_from_a_signal_handler_leaves_a_usable_spool(self, tmp_path: Path) -> None:
        """A KeyboardInterrupt in the middle of an append loses at most the record it hit."""
        spool = make_spool(root_at(tmp_path), SpoolOptions(segment_bytes=64 << 10, max_bytes=64 << 20))

        def on_signal(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, on_signal)
        done: list[int] = []
        number = 0
        try:
            for _ in range(200):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0003)
                    # An end of its own: an exception inside a finalizer is swallowed, and none comes again.
                    for _ in range(2_000):
                        number += 1
                        put(spool, 1, first=number)
                        done.append(number)
                except KeyboardInterrupt:
                    continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        put(spool, 1, first=99_999_999)
        found = payload_numbers(spool, spool.seed)
        assert set(done) <= set(found)
        assert len(found) == len(set(found))
        assert found[-1] == 99_999_999

    def test_a_call_overtaken_at_any_line_leaves_nothing_unpublished(self, tmp_path: Path) -> None:
        """A signal handler that logs between any two lines of an append: both records are there."""
        line = 0
        while True:
            line += 1
            spool = make_spool(root_at(tmp_path))
            events = 0

            def trace(frame: FrameType, event: str, _: object, spool: Spool = spool, line: int = line) -> Any:
                nonlocal events
                if frame.f_code is not Spool.append.__code__:
                    return None
                if event == "line":
                    events += 1
                    if events == line:
                        sys.settrace(None)
                        put(spool, 1, first=2)
                return trace

            before = sys.gettrace()
            sys.settrace(trace)
            try:
                put(spool, 1, first=1)
            finally:
                sys.settrace(before)
            spool.settle()
            expected = [1, 2] if events >= line else [1]
            assert expected == sorted(payload_numbers(spool, spool.seed)), f"line event {line}"
            if events < line:
                return


class TestSeal:
    def test_a_sealed_spool_answers_so(self, tmp_path: Path) -> None:
        """After seal nothing is taken, and what was taken stays readable."""
        spool = make_spool(root_at(tmp_path))
        put(spool, 10)
        spool.seal()
        spool.seal()
        assert spool.append(b"late", 20, 9, 1) == SEALED
        assert payload_numbers(spool, spool.seed) == list(range(10))


class TestNoRoom:
    def test_a_full_disk_falls_back_to_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """When no file can be made, segments in memory carry on, and files come back with the disk."""
        spool = make_spool(root_at(tmp_path))
        allocate = os.posix_fallocate

        def full(*_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "posix_fallocate", full)
        put(spool, 2000)
        assert spool.disk_error is not None
        assert any(not segment.on_disk for segment in spool.segments.values())
        monkeypatch.setattr(os, "posix_fallocate", allocate)
        put(spool, 1000, first=2000)
        assert spool.disk_error is None
        assert payload_numbers(spool, spool.seed) == list(range(3000))

    def test_beyond_the_cap_records_are_counted(self) -> None:
        """With nobody to evict, the cap and a burst's allowance are the end; the rest is counted."""
        spool = make_spool(None)
        lsns = put(spool, 20_000)
        taken = [lsn for lsn in lsns if lsn != DROPPED]
        assert spool.used_bytes() <= SMALL.max_bytes + 3 * SMALL.segment_bytes
        assert spool.counters.get("spool_full:9") == 20_000 - len(taken) > 0
        assert payload_numbers(spool, spool.seed) == list(range(len(taken)))

    def test_durability_record_raises(self) -> None:
        """An audit log is told that its record was not kept."""
        spool = make_spool(None, SpoolOptions(durability="record", segment_bytes=64 << 10, max_bytes=1 << 20))
        with pytest.raises(SpoolFull, match="memory"):
            spool.append(b"x", 20, 9, 1)

    def test_durability_record_syncs_each_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With ``record`` the call returns after a sync of the segment that has the record."""
        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        options = SpoolOptions(durability="record", segment_bytes=64 << 10, max_bytes=1 << 20)
        spool = make_spool(root_at(tmp_path), options)
        put(spool, 3)
        descriptor = spool.current().descriptor
        assert descriptor is not None
        assert synced == [descriptor.fd] * 3
