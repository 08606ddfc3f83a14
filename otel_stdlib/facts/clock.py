"""The clocks that policies are fed with.

Durations and deadlines use ``monotonic``; only a record's timestamp uses wall time. Neither is frozen by
a test's freezegun or time-machine: see ``otel_stdlib.facts.native``.
"""

from __future__ import annotations

from collections.abc import Callable

from otel_stdlib.facts.native import monotonic, wall, wall_ns

__all__ = ["Clock", "monotonic", "wall", "wall_ns"]

#: Seconds from any fixed start, never going back.
Clock = Callable[[], float]
