"""Backoff, breaker, linger and their options: pure functions of the time that they are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib.delivery.breaker import Breaker, BreakerState
from otel_stdlib.delivery.linger import Linger
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.retry import Backoff
from otel_stdlib.facts.errors import ConfigError


class TestPolicy:
    def test_defaults_are_pinned(self) -> None:
        """A changed default is a decision."""
        assert dataclasses.asdict(DeliveryPolicy()) == {
            "batch_records": 1000,
            "batch_bytes": 1 << 20,
            "batch_age": 0.0,
            "linger_records": None,
            "retry_delay": 1.0,
            "max_retry_delay": 60.0,
            "max_retries": 3,
            "circuit_breaker_threshold": 5,
            "circuit_breaker_timeout": 60.0,
            "health_check_interval": 30.0,
            "poll_interval": 0.05,
        }

    def test_what_is_enough_is_never_more_than_a_batch(self) -> None:
        """Without ``linger_records`` only a full batch goes at once."""
        assert DeliveryPolicy(batch_records=10).enough == 10
        assert DeliveryPolicy(batch_records=10, linger_records=3).enough == 3
        assert DeliveryPolicy(batch_records=10, linger_records=30).enough == 10

    def test_what_fills_one_of_several_parts_does_not_wait(self) -> None:
        """The batch is all parts together, for a backlog."""
        policy = DeliveryPolicy.of(DeliveryPolicy(batch_records=10, batch_bytes=500), 4)
        assert (policy.batch_records, policy.batch_bytes, policy.enough) == (40, 2000, 10)
        assert DeliveryPolicy.of(DeliveryPolicy(batch_records=10)).enough == 10

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"batch_records": 0}, "'batch_records'"),
            ({"batch_bytes": 1.5}, "'batch_bytes'"),
            ({"linger_records": 0}, "'linger_records'"),
            ({"max_retries": -1}, "'max_retries'"),
            ({"retry_delay": "2"}, "'retry_delay'"),
            ({"circuit_breaker_threshold": True}, "'circuit_breaker_threshold'"),
            ({"circuit_breaker_timeout": 0}, "'circuit_breaker_timeout'"),
            ({"health_check_interval": float("nan")}, "'health_check_interval'"),
            ({"retry_delay": 90}, "'max_retry_delay'"),
        ],
    )
    def test_wrong_values_are_named(self, options: dict[str, Any], word: str) -> None:
        """The message quotes the option."""
        with pytest.raises(ConfigError, match=word):
            DeliveryPolicy(**options)


class TestBackoff:
    def test_doubles_up_to_its_longest(self) -> None:
        """Without chance, half of 1, 2, 4, 8, then half of the longest pause."""
        backoff = Backoff(1.0, 10.0, lambda: 0.0)
        assert [backoff.fail(100.0) - 100.0 for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        backoff.succeed()
        assert (backoff.failures, backoff.due) == (0, 0.0)
        assert backoff.fail(0.0) == 0.5

    def test_the_server_s_wish_is_a_lower_bound(self) -> None:
        """``Retry-After`` lengthens a pause and never shortens it."""
        backoff = Backoff(1.0, 10.0, lambda: 1.0)
        assert backoff.fail(0.0, retry_after=30.0) == 30.0
        assert backoff.fail(0.0, retry_after=0.1) == 2.0

    @given(st.integers(1, 2000), st.floats(0, 1))
    def test_never_overflows(self, failures: int, chance: float) -> None:
        """After any number of failures the pause is between half the longest and the longest."""
        backoff = Backoff(0.5, 60.0, lambda: chance)
        backoff.failures = failures
        assert 0.25 <= backoff.fail(0.0) <= 60.0


class TestBreaker:
    def test_life(self) -> None:
        """Closed, open after the threshold, half open after the timeout, and back."""
        breaker = Breaker(3, 30.0)
        for now in (0.0, 1.0):
            breaker.fail(now)
            assert breaker.state is BreakerState.CLOSED
            assert breaker.allows(now)
        breaker.fail(2.0)
        assert breaker.state is BreakerState.OPEN
        assert not breaker.allows(31.9)
        assert breaker.allows(32.0)
        assert breaker.state is BreakerState.HALF_OPEN
        breaker.fail(33.0)
        assert breaker.state is BreakerState.OPEN
        assert not breaker.allows(62.9)
        assert breaker.opened_at == 2.0
        assert breaker.allows(63.0)
        breaker.succeed()
        assert breaker.state is BreakerState.CLOSED
        assert breaker.opened_at is None

    def test_a_success_ends_the_count(self) -> None:
        """Only failures in a row count."""
        breaker = Breaker(2, 1.0)
        for now in range(10):
            breaker.fail(float(now))
            breaker.succeed()
        assert breaker.state is BreakerState.CLOSED


class TestLinger:
    def test_waits_for_its_age(self) -> None:
        """A batch that is not full goes when the first record has waited long enough."""
        linger = Linger(1.0)
        assert not linger.ready(10.0, full=False)
        assert not linger.ready(10.9, full=False)
        assert linger.ready(11.0, full=False)
        assert not linger.ready(11.5, full=False)

    def test_full_goes_at_once(self) -> None:
        """A full batch, or any with no age, never waits."""
        assert Linger(1.0).ready(0.0, full=True)
        assert Linger(0.0).ready(0.0, full=False)
