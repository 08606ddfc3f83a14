"""The delivery thread: how it ends, and that nothing is lost whatever a destination answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_stdlib.delivery.contract import Batch, Outcome
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.facts.identity import Identity
from tests.delivery.parts import QUICK, REJECTED, RETRY, STORED, ListSource, Scripted, make
from tests.support import eventually, own_threads


class TestEnds:
    def test_stop_drains(self) -> None:
        """What was there before the stop is delivered."""
        source, destination = ListSource(500), Scripted()
        worker = make(destination, source)
        assert worker.stop(time.monotonic() + 30)
        assert len(destination.order) == 500
        assert destination.calls[-1] == "close"
        eventually(lambda: own_threads() == [])

    def test_stop_twice_and_start_again(self) -> None:
        """Both are allowed."""
        source, destination = ListSource(5), Scripted()
        worker = make(destination, source)
        assert worker.stop(time.monotonic() + 30)
        assert worker.stop(time.monotonic() + 30)
        source.add(5)
        worker.start()
        assert worker.flush({source: source.head()}, 60)
        assert len(destination.order) == 10

    def test_stop_does_not_hang_with_its_destination(self) -> None:
        """The deadline bites while ``deliver`` hangs."""
        release = threading.Event()
        destination = Scripted(lambda batch: release.wait(60) and None)  # type: ignore[return-value]
        source = ListSource(5)
        worker = make(destination, source)
        eventually(lambda: destination.batches)
        begin = time.monotonic()
        assert worker.stop(begin + 0.1) is False
        assert time.monotonic() - begin < 30
        release.set()
        eventually(lambda: own_threads() == [])

    def test_a_failing_destination_gets_one_last_try(self) -> None:
        """The end of a process is not held up for a server that is down."""

        def answer(batch: Batch) -> None:
            raise RetryableError("down")

        source, destination = ListSource(5), Scripted(answer)
        worker = make(destination, source, policy=DeliveryPolicy(retry_delay=50, poll_interval=0.005))
        eventually(lambda: destination.batches)
        begin = time.monotonic()
        assert worker.stop(begin + 30) is False
        assert time.monotonic() - begin < 25
        assert len(destination.batches) == 2
        assert source.saved == 1

    def test_drain_here(self) -> None:
        """Without a thread the caller does the work."""
        source, destination = ListSource(50), Scripted()
        worker = DestinationWorker(destination, QUICK, dead_letters=DeadLetterFile(None, Identity("t", "x")))
        worker.add_source(source)
        assert worker.drain_here(time.monotonic() + 10)
        assert len(destination.order) == 50

    def test_flush_gives_up_at_its_deadline(self) -> None:
        """False, and soon."""
        destination = Scripted()
        destination.open_error = RetryableError("down")
        source = ListSource(1)
        worker = make(destination, source)
        assert worker.flush({source: 2}, 0.05) is False


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(0, 120))
def test_conservation(seed: int, count: int) -> None:
    """Whatever a destination answers, each record ends stored once or as one dead letter."""
    chance = random.Random(seed)

    def answer(batch: Batch) -> Sequence[Outcome] | None:
        roll = chance.random()
        if roll < 0.1:
            raise RetryableError("lost")
        if roll < 0.15:
            raise PermanentError("refused")
        if roll < 0.18:
            raise ThrottledError("slow", 0.001)
        if roll < 0.5:
            return None
        return [chance.choice([STORED, STORED, STORED, RETRY, REJECTED]) for _ in batch.frames]

    source, destination = ListSource(count), Scripted(answer)
    letters = DeadLetterFile(None, Identity("t", "x"))
    policy = DeliveryPolicy(
        batch_records=chance.randint(1, 40),
        retry_delay=0,
        max_retry_delay=0,
        circuit_breaker_timeout=0.0001,
        poll_interval=0.001,
    )
    worker = DestinationWorker(destination, policy, dead_letters=letters)
    worker.add_source(source)
    worker.start()
    assert worker.flush({source: source.head()}, 30)
    worker.stop(time.monotonic() + 5)
    gave_up = {int(letter["record"]["body"]) for letter in letters.read()}
    assert gave_up.isdisjoint(destination.stored)
    assert gave_up | set(destination.stored) == set(range(1, count + 1))
    assert set(destination.stored.values()) <= {1}
    assert source.saved == source.head()
