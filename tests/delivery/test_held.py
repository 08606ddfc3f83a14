"""Records that wait for one place in their target do not stop those for others."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_stdlib.delivery import held
from otel_stdlib.delivery.contract import Batch, Outcome, Verdict
from otel_stdlib.delivery.held import Held
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.spool.frame import Frame
from tests.delivery.parts import QUICK, REJECTED, RETRY, STORED, ListSource, Scripted, dead, frame, make
from tests.delivery.test_sources import Rescued
from tests.support import eventually


class Tenants:
    """An answer by which places that are shut take nothing."""

    def __init__(self, place: Callable[[Frame], str], *shut: str) -> None:
        self.place = place
        self.shut = set(shut)
        self.asked: list[list[int]] = []

    def __call__(self, batch: Batch) -> list[Outcome] | None:
        """One for each of its records."""
        self.asked.append([each.lsn for each in batch.frames])
        answer = [self.answer(each) for each in batch.frames]
        return None if all(each is STORED for each in answer) else answer

    def answer(self, each: Frame) -> Outcome:
        """The verdict on one."""
        place = self.place(each)
        return Outcome(Verdict.RETRY, f"{place} is closed", place) if place in self.shut else STORED


def third(each: Frame) -> str:
    """One of three places, in turn."""
    return f"place-{each.lsn % 3}"


def test_the_others_go_on_and_each_is_stored_once() -> None:
    """The cursor waits before the first of those that wait; when the place is open again all of them follow."""
    answer = Tenants(third, "place-0")
    target = Scripted(answer)
    source = ListSource(100)
    worker = make(target, source)
    others = {n for n in range(1, 101) if n % 3}
    eventually(lambda: set(target.stored) == others)
    assert 3 == source.saved, "before the first that waits"
    source.add(50)
    others |= {n for n in range(101, 151) if n % 3}
    eventually(lambda: set(target.stored) == others)
    report = worker.snapshot()
    assert report["failing"]
    assert "place-0 is closed" in report["last_error"]
    assert "others are delivered" in report["last_error"]
    assert "closed" == report["circuit_breaker"]
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert dict.fromkeys(range(1, 151), 1) == target.stored, "each once"
    assert not worker.snapshot()["failing"]
    assert 150 == worker.snapshot()["sent"]
    assert [] == dead(worker)


def test_only_one_record_of_a_place_is_tried() -> None:
    """Until one is stored; two places that are shut have one each."""
    answer = Tenants(third, "place-0", "place-1")
    target = Scripted(answer)
    source = ListSource(90)
    make(target, source)
    eventually(lambda: 30 == len(target.stored))
    before = len(answer.asked)
    eventually(lambda: len(answer.asked) > before + 5)
    assert {(1, 3)} == {tuple(asked) for asked in answer.asked[before:]}
    answer.shut.remove("place-0")
    eventually(lambda: 60 == len(target.stored))
    assert 1 == source.saved
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert {1} == set(target.stored.values())


def test_a_place_that_shuts_again_and_a_record_that_is_refused() -> None:
    """What is held back may be refused, or wait again: nothing is lost and nothing comes twice."""
    answer = Tenants(third, "place-0")
    target = Scripted(answer)
    source = ListSource(60)
    worker = make(target, source)
    eventually(lambda: 40 == len(target.stored))
    tries = 0

    def moody(batch: Batch) -> list[Outcome]:
        nonlocal tries
        tries += 1
        if tries % 3 == 0:
            return [RETRY] * len(batch.frames)
        return [
            REJECTED
            if each.lsn == 30
            else Outcome(Verdict.RETRY, "no", "place-0")
            if tries % 3 == 1 and n
            else STORED
            for n, each in enumerate(batch.frames)
        ]

    target.answer = moody
    eventually(lambda: source.saved == source.head())
    assert ["30"] == dead(worker)
    assert dict.fromkeys((n for n in range(1, 61) if n != 30), 1) == target.stored


def test_beyond_the_bounds_the_oldest_become_dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are never stopped; what waits, is stored and is refused adds up."""
    monkeypatch.setattr(held, "MOST_RECORDS", 20)
    answer = Tenants(third, "place-0")
    target = Scripted(answer)
    source = ListSource(300)
    worker = make(target, source)
    eventually(lambda: 200 == len(target.stored))
    letters = dead(worker)
    assert len(letters) >= 80
    assert sorted(letters, key=int) == [str(n) for n in range(3, 3 * len(letters) + 1, 3)], "the oldest"
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert 300 == len(target.stored) + len(letters)
    assert {1} == set(target.stored.values())


def test_a_target_that_takes_nothing_makes_no_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its reason names: with nothing stored in between everything waits and the breaker opens."""
    monkeypatch.setattr(held, "MOST_RECORDS", 20)
    answer = Tenants(lambda _: "all", "all")
    target = Scripted(answer)
    source = ListSource(300)
    worker = make(target, source)
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
    assert [] == dead(worker)
    assert 1 == source.saved
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert dict.fromkeys(range(1, 301), 1) == target.stored
    assert [] == dead(worker)


def test_a_quiet_target_of_one_place_is_down_when_that_is_shut() -> None:
    """As with any other outage the breaker opens, however few records wait."""
    answer = Tenants(lambda _: "all", "all")
    target = Scripted(answer)
    source = ListSource(3)
    worker = make(target, source)
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
    for _ in range(3):
        source.add(1)
        eventually(lambda: any(source.frames[-1].lsn in asked for asked in answer.asked))
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert dict.fromkeys(range(1, 7), 1) == target.stored
    assert [] == dead(worker)


def test_others_that_come_later_are_found() -> None:
    """With many batches of the place that is shut before them, and the breaker open."""
    answer = Tenants(lambda each: "shut" if each.lsn <= 200 else "open", "shut")
    target = Scripted(answer)
    source = ListSource(200)
    worker = make(target, source)
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
    source.add(50)
    eventually(lambda: 50 == len(target.stored))
    eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed")
    assert 1 == source.saved
    answer.shut.clear()
    eventually(lambda: source.saved == source.head())
    assert dict.fromkeys(range(1, 251), 1) == target.stored


def test_the_end_does_not_wait_for_a_place() -> None:
    """Everything else is delivered, what waits is tried once more, and the rest is the next process's."""
    answer = Tenants(third, "place-0")
    target = Scripted(answer)
    source = ListSource(30)
    slow = DeliveryPolicy(batch_records=10, retry_delay=600, max_retry_delay=600)
    worker = make(target, source, policy=slow)
    eventually(lambda: 20 == len(target.stored))
    source.add(30)
    begun = time.monotonic()
    assert not worker.stop(begun + 300)
    assert time.monotonic() < begun + 200
    assert 40 == len(target.stored)
    assert 3 == source.saved
    answer.shut.clear()
    again = make(Scripted(), source, policy=QUICK)
    eventually(lambda: source.saved == source.head())
    assert again.is_drained()


def test_far_behind_in_the_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds too much of the spool back is given up, after its letters are written."""

    class Measured(ListSource):
        most_ahead = 50

        def distance(self, start: int) -> int:
            return self.head() - start

    answer = Tenants(lambda each: "shut" if each.lsn == 5 else "open", "shut")
    target = Scripted(answer)
    source = Measured(200)
    worker = make(target, source)
    eventually(lambda: source.saved == source.head())
    assert ["5"] == dead(worker)
    assert 199 == len(target.stored)


def test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded by number and by bytes; what was held back since the last stored record is not given up."""
    monkeypatch.setattr(held, "MOST_RECORDS", 3)
    waiting = Held(QUICK, lambda: 0.5)
    outcome = Outcome(Verdict.RETRY, "closed", "here")
    assert waiting.add(frame(1), outcome)
    waiting.prove()
    assert waiting.add(frame(2), outcome)
    assert waiting.add(frame(3), outcome)
    assert not waiting.add(frame(4), outcome)
    assert [1] == [each.lsn for each, _ in waiting.give_up()]
    assert [] == waiting.give_up()
    assert 2 == waiting.first(99)
    monkeypatch.setattr(held, "MOST_BYTES", 2 * len(frame(1).payload))
    assert not waiting.add(frame(4), outcome)


def test_what_was_delivered_ahead_and_then_evicted_is_not_lost(tmp_path: Path) -> None:
    """The spool's cap takes what a waiting record holds back: each record counts back once, when the cursor passes."""
    source = Rescued(tmp_path)
    chunk = source.read(source.first, 4, 1 << 20)
    source.save_cursor(source.lsns[1])
    source.settle_ahead(chunk.end)
    chunk = source.read(chunk.end, 4, 1 << 20)
    source.settle_ahead(chunk.end)
    assert [] == source._held, "no record is kept in memory"
    source.claim(source.first, source.end)
    source.save_cursor(source.lsns[2])
    assert {9: 1} == source.rescued
    source.save_cursor(source.lsns[6])
    assert {9: 5} == source.rescued
    source.save_cursor(source.end)
    assert {9: 7} == source.rescued
