"""The delivery thread: order, outcomes, failures, ends."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence

import pytest

from otel_stdlib.delivery.contract import Batch, Origin, Outcome
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.spool.frame import Frame
from tests.delivery.parts import REJECTED, RETRY, STORED, ListSource, Scripted, dead, make
from tests.support import eventually


def test_everything_in_order_and_once() -> None:
    """A growing source is delivered in order, in batches of at most the limit."""
    source, destination = ListSource(95), Scripted()
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    source.add(30)
    assert worker.flush({source: source.head()}, 60)
    assert destination.order == list(range(1, 126))
    assert max(len(batch.frames) for batch in destination.batches) == 10
    assert source.saved == 126


def test_only_what_is_to_be_retried_is_sent_again() -> None:
    """RETRY records go again alone; the cursor waits for them."""
    busy = {3, 7}
    saved: list[int] = []
    source = ListSource(10)

    def answer(batch: Batch) -> Sequence[Outcome]:
        saved.append(source.saved)
        found = [RETRY if f.lsn in busy else STORED for f in batch.frames]
        busy.discard(3) if len(batch.frames) < 10 else None
        if len(batch.frames) == 1:
            busy.clear()
        return found

    destination = Scripted(answer)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    sizes = [[f.lsn for f in batch.frames] for batch in destination.batches]
    assert sizes[0] == list(range(1, 11))
    assert sizes[1] == [3, 7]
    assert set(saved) == {1}
    assert set(destination.stored.values()) == {1}
    assert len(destination.stored) == 10


def test_rejected_records_become_dead_letters() -> None:
    """The rest of the batch is stored; the letter has the reason."""
    destination = Scripted(lambda b: [REJECTED if f.lsn % 5 == 0 else STORED for f in b.frames])
    source = ListSource(20)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert dead(worker) == ["5", "10", "15", "20"]
    assert len(destination.stored) == 16
    assert worker.snapshot()["rejected"] == 4


def test_a_permanent_error_is_halved_down_to_the_record_at_fault() -> None:
    """One poison record in a batch of many: it alone is given up."""

    def answer(batch: Batch) -> None:
        if any(f.lsn == 637 for f in batch.frames):
            raise PermanentError("cannot parse")

    source, destination = ListSource(1000), Scripted(answer)
    worker = make(destination, source, policy=DeliveryPolicy(batch_records=1000, poll_interval=0.005))
    assert worker.flush({source: source.head()}, 60)
    assert dead(worker) == ["637"]
    assert sorted(destination.stored) == [n for n in range(1, 1001) if n != 637]
    assert set(destination.stored.values()) == {1}


def test_a_retryable_error_sends_the_same_batch_again() -> None:
    """The very same batch object goes again, with what the destination noted in it."""
    fails = [3]

    def answer(batch: Batch) -> None:
        batch.memo.setdefault("first", len(batch.frames))
        if fails[0]:
            fails[0] -= 1
            raise RetryableError("gone")

    source, destination = ListSource(4), Scripted(answer)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert len({id(batch) for batch in destination.batches}) == 1
    assert destination.calls.count("open") == 4
    assert destination.calls.count("position") == 4


def test_what_the_target_already_has_is_not_sent_again() -> None:
    """After a lost answer the target's own position says what was stored."""
    source = ListSource(10)
    destination = Scripted()

    def answer(batch: Batch) -> None:
        if len(destination.batches) == 1:
            for each in batch.frames[:6]:
                destination.keep(each)
            destination.known = 7
            raise RetryableError("the answer was lost")

    destination.answer = answer
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert destination.order == list(range(1, 11))
    assert worker.snapshot()["duplicates"] == 6


class Seeing(Scripted):
    """Says that its target is at work, and keeps what it was shown then."""

    def __init__(self) -> None:
        super().__init__(self.work)
        self.meanwhile = lambda: None
        self.shown: list[list[int]] = []

    def work(self, batch: Batch) -> None:
        """There is nothing to do but wait."""
        self.meanwhile()

    def preview(self, origin: Origin, frames: Sequence[Frame]) -> None:
        """Keep it."""
        self.shown.append([each.lsn for each in frames])


def test_a_destination_is_shown_what_comes_next() -> None:
    """While its target works on a batch: the next one's records, without those that it does not want."""
    source, destination = ListSource(25), Seeing()
    worker = make(destination, source, accept=lambda f: f.lsn != 12)
    assert worker.flush({source: source.head()}, 10)
    assert destination.shown == [[11, *range(13, 21)], list(range(21, 26))]
    assert destination.order == [n for n in range(1, 26) if n != 12]


def test_a_batch_that_is_done_is_not_kept() -> None:
    """The last one is not freed at once, but it is when nothing comes after it."""
    seen: list[weakref.ref[Batch]] = []

    class Forgetful(Scripted):
        def deliver(self, batch: Batch) -> None:
            seen.append(weakref.ref(batch))

    source = ListSource(25)
    worker = make(Forgetful(), source)
    assert worker.flush({source: source.head()}, 10)
    eventually(lambda: len(seen) == 3 and not any(one() for one in seen))


def test_throttling_is_honoured() -> None:
    """The next try comes no sooner than the server asked."""
    times: list[float] = []

    def answer(batch: Batch) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            raise ThrottledError("slow down", 0.2)

    source, destination = ListSource(1), Scripted(answer)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert times[1] - times[0] >= 0.2


def test_the_breaker_opens_and_probes_before_it_closes() -> None:
    """After failures in a row nothing is delivered until a probe succeeds."""
    source, destination = ListSource(1), Scripted()
    destination.open_error = RetryableError("refused")
    destination.probe_error = RetryableError("still refused")
    worker = make(destination, source)
    eventually(lambda: destination.calls.count("probe") >= 2)
    assert worker.snapshot()["circuit_breaker"] in ("open", "half_open")
    assert destination.batches == []
    destination.open_error = destination.probe_error = None
    assert worker.flush({source: source.head()}, 60)
    assert worker.snapshot()["circuit_breaker"] == "closed"
    assert "refused" in worker.snapshot()["last_error"]


def test_a_health_check_ends_an_outage_before_the_breaker_s_time() -> None:
    """While the breaker is open the destination is probed at its own interval."""
    source, destination = ListSource(1), Scripted()
    destination.open_error = RetryableError("refused")
    destination.probe_error = RetryableError("still refused")
    policy = DeliveryPolicy(
        retry_delay=0.001,
        max_retry_delay=0.002,
        circuit_breaker_threshold=2,
        circuit_breaker_timeout=3600,
        health_check_interval=0.02,
        poll_interval=0.005,
    )
    worker = make(destination, source, policy=policy)
    eventually(lambda: destination.calls.count("probe") >= 2)
    destination.open_error = destination.probe_error = None
    assert worker.flush({source: source.head()}, 60)


def test_a_hostile_destination_does_not_end_the_thread() -> None:
    """Errors that no destination should raise are retried, then blamed on a record, never lost."""

    def answer(batch: Batch) -> None:
        if any(f.lsn == 3 for f in batch.frames):
            raise ZeroDivisionError("bug")

    source, destination = ListSource(6), Scripted(answer)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert dead(worker) == ["3"]
    assert sorted(destination.stored) == [1, 2, 4, 5, 6]


def test_a_wrong_number_of_outcomes_is_an_error_not_a_loss() -> None:
    """A destination that answers for too few records is not believed."""
    wrong = [True]

    def answer(batch: Batch) -> Sequence[Outcome]:
        if wrong:
            wrong.clear()
            return [RETRY] * (len(batch.frames) + 1)
        return [STORED] * len(batch.frames)

    source, destination = ListSource(5), Scripted(answer)
    worker = make(destination, source)
    assert worker.flush({source: source.head()}, 60)
    assert sorted(destination.stored) == [1, 2, 3, 4, 5]


def test_a_dead_letter_that_cannot_be_written_keeps_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor does not pass a rejected record before its letter is in the file."""
    destination = Scripted(lambda b: [REJECTED] * len(b.frames))
    source = ListSource(3)
    write = DeadLetterFile.write
    full = [True]

    def refuse(self: DeadLetterFile, origin: Origin, letters: Sequence[tuple[Frame, str]]) -> None:
        if full:
            raise OSError(28, "No space left on device")
        write(self, origin, letters)

    monkeypatch.setattr(DeadLetterFile, "write", refuse)
    worker = make(destination, source)
    eventually(lambda: "No space" in (worker.snapshot()["last_error"] or ""))
    assert source.saved == 1
    full.clear()
    assert worker.flush({source: source.head()}, 60)
    assert dead(worker) == ["1", "2", "3"]


def test_frames_that_are_not_wanted_are_settled() -> None:
    """A level test settles what it leaves out."""
    source, destination = ListSource(10), Scripted()
    worker = make(destination, source, accept=lambda f: f.lsn % 2 == 0)
    assert worker.flush({source: source.head()}, 60)
    assert destination.order == [2, 4, 6, 8, 10]


def test_live_records_come_before_a_backlog() -> None:
    """A dead process's backlog delays a live record by one batch."""
    old = ListSource(1000, live=False, origin=Origin("01M891H8K4024506H6KDTPBNRZ", b"{}"))
    live = ListSource(0)
    destination = Scripted()
    done: list[object] = []
    gate = threading.Event()
    destination.answer = lambda batch: gate.wait(60) and None  # type: ignore[return-value]
    worker = make(destination, live)
    worker.add_source(old, on_done=done.append)
    eventually(lambda: destination.batches)
    live.add(1)
    begun = len(destination.batches)
    gate.set()
    assert worker.flush({live: 2, old: old.head()}, 60)
    position = next(n for n, b in enumerate(destination.batches) if b.origin == live.origin)
    assert position - begun <= 1
    eventually(lambda: done)
    assert done == [old]
    assert old.closed
    worker.forget(old.origin)
    eventually(lambda: destination.forgotten == [old.origin])
