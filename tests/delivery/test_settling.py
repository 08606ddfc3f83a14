"""Every record is settled once and for the right reason, whatever fails around it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.retry import Backoff
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk
from tests.delivery.parts import ORIGIN, REJECTED, STORED, ListSource, Scripted, dead, frame, make

OTHER = Origin("01M891H8K4024506H6KDTPBNRZ", b"{}")


class TestLoss:
    def test_a_half_with_a_wrong_answer_is_not_lost(self) -> None:
        """Part of a halved batch that gets too few outcomes stays in work."""

        def answer(batch: Batch) -> Sequence[Outcome] | None:
            if len(batch.frames) == 4:
                raise PermanentError("one of you")
            if len(destination.batches) == 2:
                return []
            return None

        destination = Scripted()
        destination.deliver = lambda b: _deliver(destination, b, answer)  # type: ignore[method-assign]
        source = ListSource(4)
        worker = make(destination, source)
        assert worker.flush({source: source.head()}, 60)
        assert sorted(destination.stored) == [1, 2, 3, 4]

    def test_an_answer_that_is_none_after_a_rejection_loses_nothing(self) -> None:
        """Outcomes are believed all together or not at all."""
        wrong = [True]

        def answer(batch: Batch) -> Sequence[Outcome] | None:
            if wrong:
                wrong.clear()
                return [REJECTED, None]  # type: ignore[list-item]
            return [REJECTED if f.lsn == 1 else STORED for f in batch.frames]

        destination = Scripted()
        destination.deliver = lambda b: _deliver(destination, b, answer)  # type: ignore[method-assign]
        source = ListSource(2)
        worker = make(destination, source)
        assert worker.flush({source: source.head()}, 60)
        assert sorted(destination.stored) == [2]
        assert dead(worker) == ["1"]

    def test_a_cancelled_error_does_not_end_the_thread(self) -> None:
        """Not every error of a driver is an ``Exception``: asyncio's cancellation is none."""
        wrong = [True]

        def answer(batch: Batch) -> None:
            if wrong:
                wrong.clear()
                raise asyncio.CancelledError

        source, destination = ListSource(3), Scripted(answer)
        hook, threading.excepthook = threading.excepthook, lambda _: None
        try:
            worker = make(destination, source)
            assert worker.flush({source: source.head()}, 30)
        finally:
            threading.excepthook = hook

    def test_a_failed_write_does_not_cut_off_another_process_s_letter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two processes share the file: undoing a short write must not undo the other's letter."""
        path = tmp_path / "d.jsonl"
        ours, theirs = (DeadLetterFile(path, Identity("k", "x")) for _ in range(2))
        other = threading.Thread(target=theirs.write, args=(ORIGIN, [(frame(2), "theirs")]))
        write = os.write

        def full(fd: int, data: bytes) -> int:
            monkeypatch.setattr(os, "write", write)
            other.start()
            other.join(0.1)  # with no lock it is done by then; with the lock it waits for us
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            ours.write(ORIGIN, [(frame(1), "ours")])
        other.join()
        assert [letter["record"]["body"] for letter in ours.read()] == ["2"]

    def test_two_processes_turn_the_file_over_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second one to find the file too long must not replace what the first one just kept."""
        path = tmp_path / "d.jsonl"
        ours, theirs = (DeadLetterFile(path, Identity("k", "x"), max_bytes=1000) for _ in range(2))
        ours.write(ORIGIN, [(frame(1), "kept" * 250)])
        other = threading.Thread(target=theirs.write, args=(ORIGIN, [(frame(2), "theirs")]))
        replace = os.replace

        def late(source: object, target: object) -> None:
            monkeypatch.setattr(os, "replace", replace)
            other.start()
            other.join(0.1)
            replace(source, target)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "replace", late)
        ours.write(ORIGIN, [(frame(3), "ours")])
        other.join()
        assert sorted(letter["record"]["body"] for letter in ours.read()) == ["1", "2", "3"]

    def test_what_rotation_drops_is_counted(self, tmp_path: Path) -> None:
        """A third file does not fit: its letters go, and somebody must be able to tell."""
        gone: Counter[int] = Counter()
        letters = DeadLetterFile(tmp_path / "d.jsonl", Identity("k", "x"), 100, gone.update)
        for number in (1, 2, 3):
            letters.write(ORIGIN, [(frame(number), "x")])
        kept = len(list(letters.read()))
        assert kept + gone.total() == 3


class TestBlame:
    def test_a_failing_open_is_not_blamed_on_a_record(self) -> None:
        """Connecting fails with an error that is not translated: the records are innocent."""
        fails = [12]
        first = [True]

        def answer(batch: Batch) -> None:
            if first:
                first.clear()
                raise RetryableError("gone")

        class Broken(Scripted):
            def open(self) -> None:
                super().open()
                if self.batches and fails[0]:
                    fails[0] -= 1
                    raise ValueError("certificate")

        source, destination = ListSource(1), Broken(answer)
        worker = make(destination, source)
        assert worker.flush({source: source.head()}, 60)
        assert dead(worker) == []
        assert sorted(destination.stored) == [1]

    def test_a_full_disk_for_letters_is_not_blamed_on_the_next_record(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While letters cannot be written, records that the destination would take are not given up."""
        poison = {1, 2, 3, 5}

        def answer(batch: Batch) -> None:
            if poison & {f.lsn for f in batch.frames}:
                raise PermanentError("poison")

        write = DeadLetterFile.write
        tries = [0]

        def refuse(self: DeadLetterFile, origin: Origin, letters: Sequence[tuple[Frame, str]]) -> None:
            tries[0] += 1
            if tries[0] < 12:
                raise OSError(28, "No space left on device")
            write(self, origin, letters)

        monkeypatch.setattr(DeadLetterFile, "write", refuse)
        source, destination = ListSource(5), Scripted(answer)
        worker = make(destination, source)
        assert worker.flush({source: source.head()}, 60)
        assert sorted(destination.stored) == [4]

    def test_a_spool_that_cannot_be_read_does_not_hold_up_the_next(self) -> None:
        """One dead process's damaged spool: the others behind it are delivered."""

        class Broken(ListSource):
            broken = True

            def head(self) -> int:
                if self.broken:
                    raise OSError(5, "Input/output error")
                return super().head()

        bad = Broken(3, live=False)
        good = ListSource(5, live=False, origin=OTHER)
        destination = Scripted()
        worker = make(destination, bad, good)
        try:
            assert worker.flush({good: 6}, 30)
        finally:
            bad.broken = False


class TestOnce:
    def test_a_batch_that_the_target_has_whole_is_not_sent_again(self) -> None:
        """The answer was lost after everything was stored: the target's position says so."""
        source, destination = ListSource(10), Scripted()

        def answer(batch: Batch) -> None:
            if len(destination.batches) == 1:
                for each in batch.frames:
                    destination.keep(each)
                destination.known = batch.end
                raise RetryableError("the answer was lost")

        destination.answer = answer
        worker = make(destination, source)
        assert worker.flush({source: source.head()}, 60)
        assert set(destination.stored.values()) == {1}
        assert worker.snapshot()["duplicates"] == 10

    def test_damage_is_counted_once_while_a_batch_waits(self) -> None:
        """Reading a stretch again while it lingers does not count its damage again."""

        class Damaged(ListSource):
            def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
                chunk = super().read(start, max_records, max_bytes)
                return Chunk(chunk.frames, chunk.end, 1 if start == 1 else 0)

        source, destination = Damaged(3), Scripted()
        worker = make(destination, source, policy=DeliveryPolicy(batch_age=0.2, poll_interval=0.01))
        assert worker.flush({source: source.head()}, 60)
        assert worker.snapshot()["damaged"] == 1


class TestWaiting:
    """Whoever waited for a record finds everything else about it done."""

    @pytest.fixture(autouse=True)
    def slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the delivery thread notes of a success takes a while."""
        succeed, add = Backoff.succeed, Counters.add

        def late_success(self: Backoff) -> None:
            time.sleep(0.1)
            succeed(self)

        def late_count(self: Counters, name: str, count: int = 1) -> None:
            time.sleep(0.1)
            add(self, name, count)

        monkeypatch.setattr(Backoff, "succeed", late_success)
        monkeypatch.setattr(Counters, "add", late_count)

    def test_a_destination_that_is_well_again(self) -> None:
        """It is not reported as failing by whom its delivery was waited for."""
        fails = [True]

        def answer(batch: Batch) -> None:
            if fails:
                fails.clear()
                raise RetryableError("gone")

        source = ListSource(3)
        worker = make(Scripted(answer), source)
        assert worker.flush({source: source.head()}, 30)
        assert worker.snapshot()["failing"] is False

    def test_a_destination_that_had_everything(self) -> None:
        """Its answer was lost: by its position it is well, and its records are counted, at once."""
        source, destination = ListSource(10), Scripted()

        def answer(batch: Batch) -> None:
            destination.known = batch.end
            raise RetryableError("the answer was lost")

        destination.answer = answer
        policy = DeliveryPolicy(retry_delay=0.001, circuit_breaker_threshold=1, circuit_breaker_timeout=0.01)
        worker = make(destination, source, policy=policy)
        assert worker.flush({source: source.head()}, 30)
        report = worker.snapshot()
        assert (10, False, "closed") == (report["duplicates"], report["failing"], report["circuit_breaker"])


def _deliver(destination: Scripted, batch: Batch, answer: object) -> Sequence[Outcome] | None:
    """``Scripted.deliver`` that also gives wrong answers back as they are."""
    destination.batches.append(batch)
    outcomes: Sequence[Outcome] | None = answer(batch)  # type: ignore[operator]
    whole = outcomes is None or len(outcomes) == len(batch.frames)
    if whole and None not in (outcomes or ()):
        for index, each in enumerate(batch.frames):
            if outcomes is None or outcomes[index].verdict is Verdict.STORED:
                destination.keep(each)
    return outcomes
