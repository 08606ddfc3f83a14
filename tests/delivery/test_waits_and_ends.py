"""How long records wait, what a stopped worker does, and what of an error is masked."""

from __future__ import annotations

import threading
import time

import pytest

from otel_stdlib.delivery.contract import Batch, Origin, Outcome
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import RetryableError, ThrottledError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.secrets import mask_secrets
from tests.delivery.parts import ORIGIN, RETRY, STORED, ListSource, Scripted, frame, make
from tests.support import eventually

OTHER = Origin("01M891H8K4024506H6KDTPBNRZ", b"{}")


def eventually_stored(destination: Scripted, count: int, timeout: float) -> bool:
    """Whether so many records are stored before the timeout."""
    deadline = time.monotonic() + timeout
    while len(destination.stored) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(destination.stored) >= count


class TestTimes:
    def test_flush_does_not_wait_for_the_age_of_a_batch(self) -> None:
        """A flush sends what lingers."""
        source, destination = ListSource(3), Scripted()
        worker = make(destination, source, policy=DeliveryPolicy(batch_age=60, poll_interval=0.005))
        assert worker.flush({source: source.head()}, 30)

    def test_records_that_are_enough_do_not_wait_for_a_full_batch(self) -> None:
        """``linger_records`` of them go at once, whatever the age; fewer wait."""
        source, destination = ListSource(2), Scripted()
        policy = DeliveryPolicy(batch_records=10, batch_age=60, linger_records=3, poll_interval=0.005)
        worker = make(destination, source, policy=policy)
        assert not eventually_stored(destination, 2, 0.1)
        source.add(1)
        assert eventually_stored(destination, 3, 10)
        assert worker.is_drained()

    def test_a_pause_that_the_server_asked_for_outlasts_the_health_check(self) -> None:
        """A passing probe of an open breaker does not shorten ``Retry-After``."""

        def answer(batch: Batch) -> None:
            raise ThrottledError("slow down", 3600)

        source, destination = ListSource(1), Scripted(answer)
        policy = DeliveryPolicy(
            circuit_breaker_threshold=1,
            circuit_breaker_timeout=60,
            health_check_interval=0.01,
            poll_interval=0.005,
        )
        worker = make(destination, source, policy=policy)
        eventually(lambda: destination.batches)
        assert not worker.flush({source: 2}, 0.3)
        assert len(destination.batches) == 1

    def test_throttling_does_not_open_the_breaker(self) -> None:
        """A server that asks for a pause is well."""
        source = ListSource(1)

        def answer(batch: Batch) -> None:
            raise ThrottledError("slow down", 0.001)

        destination = Scripted(answer)
        policy = DeliveryPolicy(retry_delay=0.001, max_retry_delay=0.001, poll_interval=0.005)
        worker = make(destination, source, policy=policy)
        eventually(lambda: len(destination.batches) >= 5)
        assert worker.snapshot()["circuit_breaker"] == "closed"

    def test_a_server_that_takes_nothing_is_down(self) -> None:
        """It answers, and wants every record again: that opens the breaker; one record taken closes it."""
        source = ListSource(3)
        taken: list[int] = []

        def answer(batch: Batch) -> list[Outcome]:
            return [STORED if frame.lsn in taken else RETRY for frame in batch.frames]

        worker = make(Scripted(answer), source)
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
        since = worker.outage_since()
        eventually(lambda: worker.snapshot()["retried"] > 3 * 8)
        assert since is not None
        assert worker.outage_since() == since, "a health check that passes does not end the outage"
        taken.append(2)
        eventually(lambda: worker.outage_since() is None or worker.outage_since() != since)
        taken += [1, 3]
        assert worker.flush({source: source.head()}, 60)
        assert worker.snapshot()["circuit_breaker"] == "closed"

    def test_a_half_open_breaker_probes_at_its_interval(self) -> None:
        """An idle source does not make the failing one's destination be probed at every poll."""

        def answer(batch: Batch) -> None:
            raise RetryableError("down")

        destination = Scripted(answer)
        policy = DeliveryPolicy(
            retry_delay=50,
            circuit_breaker_threshold=1,
            circuit_breaker_timeout=0.01,
            health_check_interval=60,
            poll_interval=0.005,
        )
        source = ListSource(1)
        worker = make(destination, source, ListSource(0, origin=OTHER), policy=policy)
        eventually(lambda: destination.batches)
        assert not worker.flush({source: 2}, 0.3)
        assert destination.calls.count("probe") <= 2


class TestEnds:
    def test_a_start_after_a_stop_that_gave_up_keeps_delivering(self) -> None:
        """The stop left a thread that hangs in its destination; started again, it goes on."""
        release = threading.Event()
        destination = Scripted(lambda batch: release.wait(60) and None)  # type: ignore[return-value]
        source = ListSource(3)
        worker = make(destination, source)
        eventually(lambda: destination.batches)
        assert worker.stop(time.monotonic()) is False
        worker.start()
        release.set()
        source.add(3)
        assert worker.flush({source: 7}, 30)

    def test_a_closed_destination_is_opened_again(self) -> None:
        """A stop closes the connection; the next start opens it before the next batch."""
        source, destination = ListSource(5), Scripted()
        worker = make(destination, source)
        assert worker.stop(time.monotonic() + 30)
        source.add(5)
        worker.start()
        assert worker.flush({source: source.head()}, 60)
        calls = [call for call in destination.calls if call in ("open", "close")]
        assert calls == ["open", "close", "open"]

    def test_letters_in_memory_are_bounded(self) -> None:
        """With no disk a destination that refuses everything does not fill the memory."""
        letters = DeadLetterFile(None, Identity("k", "x"), max_bytes=2000)
        for number in range(1, 200):
            letters.write(ORIGIN, [(frame(number), "no")])
        assert sum(map(len, letters._memory)) <= 2 * 2000


@pytest.mark.parametrize(
    "text",
    [
        "cannot reach https://user:hunter2/x@host/",
        "cannot reach https://user:x@hunter2@host/",
        "headers {'authorization': b'Basic hunter2'}",
        "dsn host=db password='one hunter2' user=me",
    ],
)
def test_a_secret_is_masked(text: str) -> None:
    """Passwords with odd characters and headers in bytes."""
    assert "hunter2" not in mask_secrets(text)
