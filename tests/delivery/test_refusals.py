"""A run of refusals: an outage that records wait for, or bad records. Time is passed in, there is no thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from otel_stdlib.delivery.breaker import BreakerState
from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.guard import REFUSALS
from otel_stdlib.facts.errors import RetryableError
from tests.delivery.bench import Bench, Keeping, each, whole
from tests.delivery.parts import REJECTED, STORED, ListSource, Scripted

OTHER = Origin("01M891H8K4024506H6KDTPBNRX", b"{}")


KINDS = pytest.mark.parametrize(
    ("make", "answer"),
    [(Scripted, each), (Scripted, whole), (Keeping, whole)],
    ids=["a record's answer", "a batch's answer", "a target with a position"],
)
#: Of a batch that is refused as a whole so many are refused one by one before the run is seen.
FEW = list(range(1, REFUSALS))


@KINDS
class TestAnOutage:
    """The target refuses everything."""

    def test_records_wait(self, make: type[Scripted], answer: Callable[..., object]) -> None:
        """They stay in the spool, and whoever looks sees an outage."""
        source = ListSource(95)
        bench = Bench(make(answer(lambda frame: True)), source)
        bench.work()
        bench.wait(600)
        assert bench.dead() == ([] if answer is each else FEW)
        assert bench.destination.order == []
        assert source.saved <= REFUSALS
        assert bench.lanes[0].failing
        assert bench.server.breaker.opened_at == 100.0
        assert "every record is refused" in bench.status.snapshot()["last_error"]

    def test_one_record_at_a_time_is_tried(self, make: type[Scripted], answer: Callable[..., object]) -> None:
        """Two of them, with pauses that grow up to the longest."""
        bench = Bench(make(answer(lambda frame: True)), ListSource(95))
        bench.work()
        begun = len(bench.destination.batches)
        bench.wait(600)
        tries = bench.destination.batches[begun:]
        assert {len(batch.frames) for batch in tries} == {1}
        assert len(tries) <= 2 * (6 + 600 / 60)

    def test_everything_is_delivered_afterwards(
        self, make: type[Scripted], answer: Callable[..., object]
    ) -> None:
        """In full, once, in order."""
        down = [True]
        source = ListSource(95)
        bench = Bench(make(answer(lambda frame: down[0])), source)
        bench.work()
        bench.wait(30)
        down.clear()
        down.append(False)
        bench.wait(120)
        given_up = bench.dead()
        assert given_up == ([] if answer is each else FEW)
        assert set(bench.destination.stored.values()) == {1}
        assert sorted([*bench.destination.order, *given_up]) == list(range(1, 96))
        assert source.saved == 96
        assert bench.server.breaker.state is BreakerState.CLOSED
        assert not bench.lanes[0].failing

    def test_new_records_are_delivered_too(self, make: type[Scripted], answer: Callable[..., object]) -> None:
        """An outage that begins and ends while records come."""
        down = [False]
        source = ListSource(45)
        bench = Bench(make(answer(lambda frame: down[0])), source)
        bench.work()
        down[0] = True
        for _ in range(50):
            source.add(3)
            bench.wait(5)
        down[0] = False
        bench.wait(120)
        given_up = bench.dead()
        assert len(given_up) < REFUSALS
        assert sorted([*bench.destination.order, *given_up]) == list(range(1, 196))
        assert set(bench.destination.stored.values()) == {1}


@KINDS
class TestBadRecords:
    """The target is well, and records are not."""

    def test_one_among_good_ones_is_given_up_at_once(
        self, make: type[Scripted], answer: Callable[..., object]
    ) -> None:
        """Nobody waits for it."""
        source = ListSource(60)
        bench = Bench(make(answer(lambda frame: frame.lsn == 33)), source)
        bench.work()
        assert bench.dead() == [33]
        assert source.saved == 61

    def test_a_long_run_is_given_up_when_a_good_one_follows(
        self, make: type[Scripted], answer: Callable[..., object]
    ) -> None:
        """Without any pause, though it is longer than several batches."""
        source = ListSource(1_100)
        bench = Bench(make(answer(lambda frame: 100 <= frame.lsn < 1_097)), source)
        bench.work()
        assert bench.now == 100.0
        assert bench.dead() == list(range(100, 1_097))
        assert sorted(bench.destination.stored) == [*range(1, 100), *range(1_097, 1_101)]
        assert set(bench.destination.stored.values()) == {1}
        assert source.saved == 1_101
        assert bench.server.breaker.state is BreakerState.CLOSED

    def test_a_run_with_nothing_behind_waits_for_the_next_record(
        self, make: type[Scripted], answer: Callable[..., object]
    ) -> None:
        """It may be an outage; the first good record says that it is none."""
        source = ListSource(1_000)
        bench = Bench(make(answer(lambda frame: frame.lsn <= 1_000)), source)
        bench.work()
        bench.wait(10)
        assert len(bench.dead()) < REFUSALS
        source.add(1)
        bench.wait(60)
        assert bench.dead() == list(range(1, 1_001))
        assert bench.destination.order == [1_001]
        assert source.saved == 1_002

    def test_good_ones_here_and_there(self, make: type[Scripted], answer: Callable[..., object]) -> None:
        """Every seventieth: what is stored is stored once, the rest is given up, and nothing waits for long."""
        source = ListSource(700)
        bench = Bench(make(answer(lambda frame: frame.lsn % 70 != 0)), source)
        bench.work()
        assert sorted(bench.destination.stored) == list(range(70, 701, 70))
        assert set(bench.destination.stored.values()) == {1}
        assert len(bench.dead()) == 690

    def test_a_bad_backlog_does_not_hold_up_live_records(
        self, make: type[Scripted], answer: Callable[..., object]
    ) -> None:
        """What a dead process left is all bad: the first live record says so."""
        old = ListSource(50, live=False, origin=OTHER)
        live = ListSource(0)
        destination = make(answer(lambda frame: frame in old.frames))
        for number, frame in enumerate(old.frames):
            old.frames[number] = frame._replace(level=50)
        bench = Bench(destination, live, old)
        bench.work()
        assert bench.lanes[1].failing
        live.add(1)
        if isinstance(destination, Keeping):
            destination.end = 0
        bench.wait(2)
        assert destination.order == [1]
        assert sorted(bench.dead()) == list(range(1, 51))
        assert old.saved == 51


def test_a_record_that_was_stored_before_its_turn_is_not_sent_again() -> None:
    """Wherever it lies when the cursor comes to it."""
    source = ListSource(500)
    bench = Bench(Scripted(each(lambda frame: frame.lsn <= 60)), source)
    bench.work()
    assert [frame.lsn for batch in bench.destination.batches for frame in batch.frames].count(180) == 1
    assert sorted(bench.destination.stored) == list(range(61, 501))
    assert set(bench.destination.stored.values()) == {1}
    assert bench.lanes[0].ahead == set()


def test_a_target_that_keeps_a_position_gets_nothing_out_of_order() -> None:
    """It is asked without storing: a kill between two steps could not be told from a loss."""
    destination = Keeping(whole(lambda frame: frame.lsn <= 60))
    bench = Bench(destination, ListSource(500))
    bench.work()
    assert destination.tried
    assert destination.order == list(range(61, 501))


def test_a_target_that_keeps_a_position_and_cannot_be_asked_gives_up_at_once() -> None:
    """A file, whose lines are refused by their formatter only."""

    class File(Scripted):
        keeps_position = True

    bench = Bench(File(each(lambda frame: True)), ListSource(50))
    bench.work()
    assert bench.dead() == list(range(1, 51))


def test_the_pause_of_an_outage_is_kept_by_a_server_that_goes_away_in_it() -> None:
    """A lost connection during an outage ends nothing."""
    script: list[str] = ["refuse"]

    def answer(batch: Batch) -> Sequence[Outcome]:
        if script[0] == "gone":
            raise RetryableError("gone")
        return [REJECTED if script[0] == "refuse" else STORED] * len(batch.frames)

    source = ListSource(40)
    bench = Bench(Scripted(answer), source)
    bench.work()
    script[0] = "gone"
    bench.wait(20)
    assert bench.server.breaker.opened_at == 100.0
    script[0] = "refuse"
    bench.wait(200)
    assert bench.dead() == []
    script[0] = "well"
    bench.wait(120)
    assert sorted(bench.destination.stored) == list(range(1, 41))
    assert set(bench.destination.stored.values()) == {1}


def test_it_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for the outage, with the reason; the next outage has another one."""
    down = [True]
    source = ListSource(40)
    destination = Scripted(each(lambda frame: down[0]), name="told-once")
    bench = Bench(destination, source)
    bench.work()
    bench.wait(3_000)
    lines = [line for line in capsys.readouterr().err.splitlines() if "told-once" in line]
    assert len(lines) == 1
    assert "wait in the spool" in lines[0]
    assert "bad" in lines[0]


def test_bad_records_with_various_reasons() -> None:
    """A message that names something of each record in words: they are given up as well, in the end."""
    words = ["alpha", "beta", "gamma", "delta"]

    def answer(batch: Batch) -> Sequence[Outcome]:
        return [
            STORED if frame.lsn == 800 else Outcome(Verdict.REJECTED, words[frame.lsn % 4])
            for frame in batch.frames
        ]

    source = ListSource(800)
    bench = Bench(Scripted(answer), source)
    bench.work()
    assert bench.dead() == list(range(1, 800))
    assert bench.destination.order == [800]
