"""The clocks that policies are fed with.

Durations and deadlines use ``monotonic``; only a record's timestamp uses wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Clock", "monotonic", "wall_ns"]

#: Seconds from any fixed start, never going back.
Clock = Callable[[], float]

monotonic: Clock = time.monotonic
#: Nanoseconds since 1970-01-01 UTC.
wall_ns: Callable[[], int] = time.time_ns
