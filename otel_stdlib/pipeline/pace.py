"""How long the keeper's thread of a generation rests between two rounds."""

from __future__ import annotations

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.threads import Event, sleep
from otel_stdlib.spool.writer import Spool

__all__ = ["Pace"]

#: Seconds between rounds of the keeper. An 8 MB segment lasts about 160 ms at full speed.
_TICK = 0.05
#: Seconds between glances at the spool while a delivery thread is idle: a record waits no longer for its
#: delivery to begin. A wake-up costs 50 to 60 µs of CPU time, so 80 a second stay below 1 % of a core.
_GLANCE = 0.0125
_GLANCES = 20  # between two rounds while nothing is logged
#: In the first moments they come faster: the first segment is small, and a process may live for less than a round.
_FIRST_TICK = 0.005
_YOUNG = 0.2
#: One that was closed waits for what its destination does not take, perhaps beside hundreds of
#: others: its rounds come at a quarter of the time that it waits already, and at most so far apart.
_SLOW_TICK = 1.0


class Pace:
    """The rests of one keeper, from now on. Used by its thread."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._born = monotonic()
        #: A spool that syncs looks at each tick whether it is time.
        self._glances = 4 if spool.options.durability == "os" else _GLANCES

    def rest(self, wake: Event, now: float, closed_at: float | None, head: int | None) -> None:
        """Wait for the next round.

        Args:
            wake: cuts a wait short.
            now: on the monotonic clock.
            closed_at: since when the generation is closed; None: it is not.
            head: how far idle delivery threads have been told of; None: none is idle.
        """
        if closed_at is not None:
            wake.wait(min(max(_TICK, (now - closed_at) / 4), _SLOW_TICK))
        elif now - self._born < _YOUNG:
            wake.wait(_FIRST_TICK)
        elif head is None:
            wake.wait(_TICK)
        else:
            # A plain sleep: it costs half of a wait that can be cut short.
            for _ in range(self._glances):
                sleep(_GLANCE)
                if self._spool.published != head or wake.is_set():
                    return
