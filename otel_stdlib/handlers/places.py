"""Which of several servers gets the next request or connection. Pure, but for the clock.

One that does not answer costs whoever tries it a time limit. So it comes last from then on, for a pause that
grows with each failure, and is tried again with a short limit.
"""

from __future__ import annotations

from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.facts.threads import Lock

__all__ = ["Places"]

#: Seconds for which a server is left alone after its first failure, twice as long after each further one, and at most.
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0


class _Place:
    def __init__(self) -> None:
        self.works: bool | None = None
        self.failures = 0
        self.due = 0.0


class Places:
    """What is known of ``count`` servers, by number. Any thread may call it.

    Args:
        count: how many there are.
        clock: monotonic seconds.
    """

    def __init__(self, count: int, clock: Clock = monotonic) -> None:
        self._places = [_Place() for _ in range(count)]
        self._clock = clock
        self._lock = Lock()
        self._turn = 0

    def order(self, *, in_turn: bool = False) -> list[int]:
        """All of them: first those that work, then those not tried yet, last those that failed.

        ``in_turn`` begins with another one of those that work each time.
        """
        with self._lock:
            now = self._clock()
            self._turn += in_turn
            working = [number for number, place in enumerate(self._places) if place.works]
            shift = self._turn % len(working) if working else 0
            rest = [number for number, place in enumerate(self._places) if not place.works]
            rest.sort(key=lambda number: self._weight(number, now))
            return [*working[shift:], *working[:shift], *rest]

    def _weight(self, number: int, now: float) -> tuple[bool, float]:
        place = self._places[number]
        return place.works is False, max(0.0, place.due - now)

    def is_paused(self, number: int) -> bool:
        """Whether it failed a short while ago."""
        return self._places[number].due > self._clock()

    @property
    def any_works(self) -> bool:
        """Whether one of them answered last."""
        return any(place.works for place in self._places)

    def to_ask(self) -> int | None:
        """One to be asked whether it works, apart from records: untried, or its pause is over; None: there is none.

        It is not given to another thread for a while.
        """
        with self._lock:
            now = self._clock()
            for number, place in enumerate(self._places):
                if not place.works and place.due <= now:
                    place.due = now + FIRST_PAUSE
                    return number
            return None

    def worked(self, number: int) -> None:
        """It answered."""
        with self._lock:
            place = self._places[number]
            place.works, place.failures, place.due = True, 0, 0.0

    def failed(self, number: int) -> bool:
        """It did not answer, or is of no use; whether another one works."""
        with self._lock:
            place = self._places[number]
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(place.failures, 10))
            place.works, place.failures, place.due = False, place.failures + 1, self._clock() + pause
            return self.any_works
