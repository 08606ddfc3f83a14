"""The fallback: what waits is readable during an outage, and the primary still gets all of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.fallback import Fallback, FallbackSource, Primary
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import ConfigError, RetryableError
from otel_stdlib.facts.identity import Identity
from tests.delivery.parts import ORIGIN, ListSource, Scripted
from tests.support import eventually

POLICY = DeliveryPolicy(
    batch_records=10,
    retry_delay=0.001,
    max_retry_delay=0.005,
    circuit_breaker_threshold=2,
    circuit_breaker_timeout=0.02,
    health_check_interval=0.02,
    poll_interval=0.005,
)


class Site:
    """A primary that can be down, a fallback beside it, and the spool that both read."""

    def __init__(self, after: float = 0.0) -> None:
        self.primary = Scripted(name="primary")
        self.worker = DestinationWorker(
            self.primary, POLICY, dead_letters=DeadLetterFile(None, self.primary.identity)
        )
        self.other = Scripted(name="fallback")
        self.source = ListSource()
        self.view = ListSource()
        self.view.frames = self.source.frames
        self.worker.add_source(self.source)
        breaker = self.worker._attempts.breaker
        self.fallback = Fallback(
            self.other, Primary(lambda: breaker.opened_at, self.worker.cursors, after), POLICY
        )
        self.fallback.add_view(self.view)
        self.worker.start()
        self.fallback.start()

    def log(self, count: int) -> None:
        """More records: both lists are one."""
        first = len(self.source.frames)
        self.source.frames.extend(ListSource(first + count).frames[first:])

    def down(self) -> None:
        """The primary's server goes."""
        error = RetryableError("refused")

        def answer(batch: Batch) -> None:
            raise error

        self.primary.open_error = self.primary.probe_error = error
        self.primary.answer = answer

    def up(self) -> None:
        """It is back."""
        self.primary.open_error = self.primary.probe_error = None
        self.primary.answer = lambda _: None

    def flush(self) -> None:
        """Wait for the primary."""
        assert self.worker.flush({self.source: self.source.head()}, 60)


@pytest.fixture
def site() -> Iterator[Site]:
    """A site that is ended."""
    made = Site()
    yield made
    made.fallback.stop(time.monotonic())
    made.worker.stop(time.monotonic())


def test_an_outage_is_readable_and_then_delivered(site: Site) -> None:
    """Only what waits is written beside; the primary gets everything once, in order."""
    site.log(15)
    site.flush()
    site.down()
    site.log(25)
    eventually(lambda: len(site.other.order) == 25)
    assert site.fallback.snapshot()["active"]
    assert site.source.saved == 16
    site.up()
    site.flush()
    assert site.primary.order == list(range(1, 41))
    assert site.other.order == list(range(16, 41))
    assert site.view.saved == 1, "the view's own cursor is never written"


def test_nothing_is_touched_while_the_primary_is_well(site: Site) -> None:
    """Without an outage the fallback's target is not even opened."""
    site.log(200)
    site.flush()
    assert site.other.calls == []
    assert site.fallback.stop(time.monotonic() + 10)
    assert site.other.batches == []
    assert "open" not in site.other.calls


def test_a_second_outage_goes_on_behind_the_first(site: Site) -> None:
    """No line twice, and nothing that the primary took in between."""
    site.down()
    site.log(10)
    eventually(lambda: len(site.other.order) == 10)
    site.up()
    site.flush()
    eventually(lambda: not site.fallback.snapshot()["active"])
    site.log(10)
    site.flush()
    site.down()
    site.log(10)
    eventually(lambda: len(site.other.order) == 20)
    assert site.other.order == [*range(1, 11), *range(21, 31)]


def test_a_broken_fallback_does_not_touch_the_primary(site: Site) -> None:
    """Its refusals are counted there; the primary delivers as if there were none."""
    site.other.answer = lambda b: [Outcome(Verdict.REJECTED, "no")] * len(b.frames)
    site.down()
    site.log(30)
    eventually(lambda: site.fallback.snapshot()["rejected"] == 30)
    site.up()
    site.flush()
    assert site.primary.order == list(range(1, 31))
    assert site.worker.snapshot()["rejected"] == 0


def test_the_end_of_a_process_writes_what_waits(site: Site) -> None:
    """Stopped during an outage, the fallback has every line first."""
    site.down()
    site.log(300)
    eventually(lambda: site.other.order)
    assert site.fallback.stop(time.monotonic() + 10)
    assert site.other.order == list(range(1, 301))


class TestPrimary:
    def test_waits_for_its_time(self) -> None:
        """Down only once the breaker has been open for ``after`` seconds."""
        now, since = [100.0], [None]
        primary = Primary(lambda: since[0], dict, 5.0, lambda: now[0])
        assert not primary.is_down()
        since[0] = 100.0  # type: ignore[call-overload]
        assert not primary.is_down()
        now[0] = 104.9
        assert not primary.is_down()
        now[0] = 105.0
        assert primary.is_down()

    @pytest.mark.parametrize("after", [-1, "3", True, float("nan"), None])
    def test_wrong_seconds_are_named(self, after: object) -> None:
        """The message quotes the option."""
        with pytest.raises(ConfigError, match="'after'"):
            Primary(lambda: None, dict, after)  # type: ignore[arg-type]


class TestSource:
    def test_shows_nothing_when_the_outage_ends_between_head_and_read(self) -> None:
        """The stretch that was asked for is skipped up to the primary's cursor, not read."""
        down = [True]
        cursors = {ORIGIN.spool_id: 4}
        primary = Primary(lambda: 0.0 if down[0] else None, lambda: cursors, 0.0, lambda: 1.0)
        source = FallbackSource(ListSource(9), primary)
        assert (source.load_cursor(), source.head()) == (4, 10)
        down[0] = False
        cursors[ORIGIN.spool_id] = 7
        assert source.read(4, 100, 1 << 20) == ([], 7, 0)
        assert source.head() == 4

    def test_a_backlog_is_let_go_when_the_primary_has_it(self) -> None:
        """A dead process's spool leaves the fallback with the primary, unread from then on."""
        view = ListSource(9, live=False, origin=Origin("01M891H8K4024506H6KDTPBNRZ", b"{}"))
        cursors = {view.origin.spool_id: 1}
        other = Scripted()
        fallback = Fallback(other, Primary(lambda: None, lambda: cursors, 0.0), POLICY)
        fallback.add_view(view)
        fallback.start()
        try:
            assert fallback.snapshot()["sources"] == 1
            cursors.clear()
            eventually(lambda: view.closed)
            assert fallback.snapshot()["sources"] == 0
            assert other.batches == []
        finally:
            fallback.stop(time.monotonic())

    def test_a_backlog_is_readable_during_an_outage(self) -> None:
        """What a dead process left is written as well, from the primary's cursor on."""
        view = ListSource(9, live=False)
        other = Scripted()
        fallback = Fallback(other, Primary(lambda: 0.0, lambda: {ORIGIN.spool_id: 4}, 0.0), POLICY)
        fallback.add_view(view)
        fallback.start()
        try:
            eventually(lambda: other.order == [4, 5, 6, 7, 8, 9])
            assert other.identity == Identity("test", "scripted")
        finally:
            fallback.stop(time.monotonic())
