"""Pauses that a server asks for, and what the end of a process does about them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.contract import Batch, Outcome
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.retry import LONGEST_ASKED, Backoff
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import RetryableError, ThrottledError
from otel_stdlib.facts.identity import Identity
from tests.delivery.parts import RETRY, STORED, ListSource, Scripted, make
from tests.support import eventually


@pytest.mark.parametrize("asked", [1e9, float("inf"), LONGEST_ASKED])
def test_a_pause_that_a_server_asks_for_is_bounded(asked: float) -> None:
    """An hour at most."""
    assert Backoff(1.0, 60.0, lambda: 1.0).fail(100.0, asked) == 100.0 + LONGEST_ASKED


@pytest.mark.parametrize("asked", [float("nan"), -5.0, 0.0])
def test_a_pause_that_is_none_changes_nothing(asked: float) -> None:
    """The ordinary pause holds."""
    assert Backoff(1.0, 60.0, lambda: 1.0).fail(100.0, asked) == 101.0


def test_the_end_sends_again_what_the_server_wants_again() -> None:
    """One RETRY is no reason to leave records behind while there is time."""
    answers = [[RETRY], [RETRY], [RETRY]]

    def answer(batch: Batch) -> Sequence[Outcome]:
        first = answers.pop()[0] if answers else STORED
        return [first, *[STORED] * (len(batch.frames) - 1)]

    source, destination = ListSource(0), Scripted(answer)
    policy = DeliveryPolicy(retry_delay=0.01, max_retry_delay=0.02, poll_interval=0.9)
    worker = make(destination, source, policy=policy)
    source.add(5)
    assert worker.stop(time.monotonic() + 30)
    assert sorted(destination.stored) == [1, 2, 3, 4, 5]


def test_the_end_waits_for_a_short_pause_and_not_for_a_long_one() -> None:
    """What ends before the deadline is waited for; for the rest the process does not stay."""
    pauses = [0.05, 3600.0]
    asked = threading.Event()

    def answer(batch: Batch) -> None:
        asked.wait(60)  # the thread may have seen the record before the end
        if pauses:
            raise ThrottledError("slow down", pauses.pop(0))

    source, destination = ListSource(0), Scripted(answer)
    worker = make(destination, source, policy=DeliveryPolicy(retry_delay=0.001, poll_interval=0.9))
    source.add(1)
    deadline = time.monotonic() + 60
    worker.request_stop(deadline)
    asked.set()
    assert worker.stop(deadline) is False
    assert time.monotonic() < deadline
    assert len(destination.batches) == 2


def test_one_pause_holds_for_everything_that_goes_to_the_server() -> None:
    """A backlog is not sent while the live records wait."""

    def answer(batch: Batch) -> None:
        raise ThrottledError("slow down", 60)

    source, destination = ListSource(1), Scripted(answer)
    worker = make(destination, source)
    eventually(lambda: destination.batches)
    backlog = ListSource(5, live=False)
    worker.add_source(backlog)
    assert not worker.flush({backlog: 6}, 0.2)
    assert len(destination.batches) == 1


class TestAfterASlowAttempt:
    """A pause is one for the server: it begins when the attempt has ended, however long that took."""

    def attempt(self, error: Exception) -> tuple[Attempts, Lane]:
        """One that fails after fifty seconds, at 150 on a clock of the test's."""
        now = [100.0]

        def answer(batch: Batch) -> None:
            now[0] += 50
            raise error

        policy = DeliveryPolicy(
            retry_delay=10, circuit_breaker_threshold=1, circuit_breaker_timeout=30, health_check_interval=20
        )
        letters = DeadLetterFile(None, Identity("test", "x"))
        server = Attempts(Scripted(answer), policy, letters, Status(Counters()), None, clock=lambda: now[0])
        lane = Lane(ListSource(1), policy, lambda: 1.0, None)
        assert server.serve(lane, now[0])
        return server, lane

    def test_what_the_server_asked_for(self) -> None:
        """No sooner than so long after it asked."""
        server, lane = self.attempt(ThrottledError("slow down", 40))
        assert not server.serve(lane, 189.0)
        assert server.serve(lane, 190.0)

    def test_the_breaker_and_the_retry(self) -> None:
        """A request that ran into its timeout is not sent again at once."""
        server, lane = self.attempt(RetryableError("no answer"))
        assert lane.backoff.due == 160.0
        assert not server.serve(lane, 169.0)
        assert server.destination.calls.count("probe") == 0  # type: ignore[attr-defined]
        assert not server.breaker.allows(179.9)
        assert server.breaker.allows(180.0)
