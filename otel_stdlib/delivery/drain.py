"""The last deliveries of a delivery thread, or of the thread that ends the process."""

from __future__ import annotations

from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.facts.clock import Clock
from otel_stdlib.facts.threads import sleep

__all__ = ["drain_lane"]


def drain_lane(attempts: Attempts, lane: Lane, deadline: float, clock: Clock) -> bool:
    """Deliver until nothing waits, the deadline or a failing last try; whether nothing waits.

    What the server answers for and wants again is sent again after its pause.
    """
    failures = lane.failures
    answers = -1
    while (now := clock()) < deadline and lane.failures <= failures and not lane.finished():
        due = now  # the first try does not wait for a pause that began before
        if answers == lane.backoff.failures and lane.backoff.due > now:
            due = lane.backoff.due
        else:
            due += 0.0 if attempts.serve(lane, now, urgent=True) else 0.001
            answers = lane.backoff.failures
        if due >= deadline:
            break
        if due > now:
            sleep(min(due - now, 0.05))
    return lane.finished()
