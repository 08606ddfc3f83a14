"""Rate limits: exact, by any key, and never without a word."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.filters import RateLimitFilter
from tests.filters.parts import Clock, Kept, logged, record
from tests.support import eventually

EVENT = "otel_stdlib.suppressed"


def passed(each: RateLimitFilter, count: int, **fields: Any) -> int:
    """How many of so many records pass."""
    try:
        return sum(bool(each.filter(record(**fields))) for _ in range(count))
    finally:
        each.flush()


class TestBuckets:
    def test_burst_then_rate(self, clock: Clock) -> None:
        """A full bucket at first; then what has been refilled, and never more than a bucket."""
        each = RateLimitFilter(10, burst=20)
        assert passed(each, 100) == 20
        clock.now += 0.5
        assert passed(each, 100) == 5
        clock.now += 3_600
        assert passed(each, 100) == 20

    def test_a_clock_that_is_set_back(self, clock: Clock) -> None:
        """Nothing is refilled, nothing is refused for ever."""
        each = RateLimitFilter(10, burst=10)
        assert passed(each, 10) == 10
        clock.now -= 500
        assert passed(each, 10) == 0
        clock.now += 501
        assert passed(each, 100) == 10

    def test_the_default_burst(self, clock: Clock) -> None:
        """Ten times the rate."""
        assert passed(RateLimitFilter(3), 100) == 30

    def test_less_than_one_a_second(self, clock: Clock) -> None:
        """One a minute."""
        each = RateLimitFilter(1 / 60, burst=1)
        assert passed(each, 5) == 1
        clock.now += 59
        assert passed(each, 5) == 0
        clock.now += 1.1
        assert passed(each, 5) == 1

    def test_above_up_to_all_pass_and_cost_nothing(self, clock: Clock) -> None:
        """An ERROR is never limited by the default."""
        each = RateLimitFilter(1, burst=1)
        assert passed(each, 50, level=logging.ERROR) == 50
        assert passed(each, 50) == 1

    def test_bytes(self, clock: Clock) -> None:
        """Of the message as it is, in UTF-8."""
        each = RateLimitFilter(10, burst=100, unit="bytes")
        assert passed(each, 100, message="ä" * 5) == 10
        assert passed(each, 1, message="ä" * 60) == 0

    def test_keys(self, clock: Clock) -> None:
        """A loud template leaves the others alone; templates, not messages."""
        each = RateLimitFilter(1, burst=2)
        for number in range(10):
            each.filter(record("order %s", args=(number,)))
        assert passed(each, 5, message="other") == 2
        assert passed(each, 5, message="order %s", name="web") == 2
        assert passed(each, 5, message="order %s", args=(99,)) == 0

    @pytest.mark.parametrize("by", ["attribute:tenant_id", ["attribute:tenant_id"]])
    def test_by_attribute_with_overrides(self, clock: Clock, by: Any) -> None:
        """One tenant does not use up another's; one has a limit of its own. Any value is a key."""
        each = RateLimitFilter(
            1, burst=1, by=by, overrides={"acme": {"rate": 1, "burst": 5}, "7": {"rate": 3}}
        )
        assert passed(each, 9, tenant_id="acme") == 5
        assert passed(each, 9, tenant_id="other") == 1
        assert passed(each, 99, tenant_id=7) == 30
        assert passed(each, 9, tenant_id=["a", {}]) == 1
        assert passed(each, 9) == 1

    def test_one_for_all(self, clock: Clock) -> None:
        """``none``."""
        each = RateLimitFilter(1, burst=3, by="none")
        assert passed(each, 2, message="a") + passed(each, 2, message="b", name="c") == 3

    def test_by_level(self, clock: Clock) -> None:
        """DEBUG does not use up INFO's."""
        each = RateLimitFilter(1, burst=1, by="level")
        assert passed(each, 5, level=10) == passed(each, 5, level=20) == 1

    def test_the_least_recently_used_key_is_forgotten(self, clock: Clock) -> None:
        """There are never more than ``max_keys``."""
        each = RateLimitFilter(1, burst=1, max_keys=2)
        for name in ("a", "b", "a", "c"):
            each.filter(record(name))
        assert passed(each, 1, message="a") == 0
        assert passed(each, 1, message="b") == 1
        assert len(each._buckets) == 2

    def test_threads(self, clock: Clock) -> None:
        """Exactly a bucket's worth pass, from however many threads."""
        each = RateLimitFilter(100, burst=1_000)
        found: list[int] = []

        def log() -> None:
            found.append(sum(bool(each.filter(record())) for _ in range(500)))

        threads = [threading.Thread(target=log) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        each.flush()
        assert sum(found) == 1_000

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_forked_child_begins_with_full_buckets(self, clock: Clock) -> None:
        """And reports nothing of its parent's."""
        each = RateLimitFilter(1, burst=3)
        for _ in range(5):
            each.filter(record())
        pid = os.fork()
        if not pid:
            told = len(each.collect(0.0, True)[0])
            os._exit(10 * told + sum(bool(each.filter(record())) for _ in range(5)))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        assert len(each.collect(0.0, True)[0]) == 1
        each.flush()

    def test_a_frozen_clock_refills_all_the_same(self) -> None:
        """A test that freezes time stops the application's time, not the limit's."""
        freezegun = pytest.importorskip("freezegun")
        with freezegun.freeze_time("2026-01-01"):
            each = RateLimitFilter(1_000, burst=1)
            assert each.filter(record()) is True
            assert eventually(lambda: bool(each.filter(record())), 30)
        each.flush()

    def test_one_filter_for_two_handlers_decides_once(self, tmp_path: Path) -> None:
        """``dictConfig`` gives the same filter to every handler that names it."""
        each, kept = RateLimitFilter(0.001, burst=2), Kept()
        with logged(tmp_path, each) as made:
            kept.addFilter(each)
            made.logger.addHandler(kept)
            for _ in range(4):
                made.logger.info("x")
            found = made.lines()
            made.logger.removeHandler(kept)
            assert [line["body"] for line in found][:2] == ["x", "x"]
            assert [entry.getMessage() for entry in kept.records][:2] == ["x", "x"]
            assert [line.get("event_name") for line in found] == [None, None, EVENT]
            assert len(kept.records) == 3
