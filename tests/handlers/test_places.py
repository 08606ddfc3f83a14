from __future__ import annotations

from otel_stdlib.handlers.places import FIRST_PAUSE, LONGEST_PAUSE, Places


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_those_that_work_come_first_and_take_turns() -> None:
    """Then untried ones, and last those that failed."""
    places = Places(4, _Clock())
    assert [0, 1, 2, 3] == places.order()
    places.worked(3)
    places.worked(1)
    assert not Places(2).failed(0), "no other one is known to work"
    assert places.failed(0)
    assert [1, 3, 2, 0] == places.order()
    assert [3, 1] == places.order(in_turn=True)[:2]
    assert [1, 3] == places.order(in_turn=True)[:2]


def test_the_pause_grows_with_each_failure() -> None:
    """It doubles up to its limit; an answer ends it."""
    clock = _Clock()
    places = Places(2, clock)
    places.worked(1)
    pause = FIRST_PAUSE
    for _ in range(8):
        places.failed(0)
        clock.now += min(pause, LONGEST_PAUSE) - 0.5
        assert places.is_paused(0)
        assert places.to_ask() is None
        clock.now += 1
        assert not places.is_paused(0)
        assert 0 == places.to_ask()
        assert places.to_ask() is None, "not given to two threads"
        pause *= 2
    places.worked(0)
    assert places.to_ask() is None
    assert not places.is_paused(0)
    places.failed(0)
    clock.now += FIRST_PAUSE + 1
    assert 0 == places.to_ask(), "the first pause again"


def test_untried_ones_are_asked() -> None:
    """Each once."""
    places = Places(3, _Clock())
    assert [0, 1, 2, None] == [places.to_ask() for _ in range(4)]
    assert not places.any_works
