"""When to try again: exponential backoff with jitter. Pure: ``now`` and chance are passed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.delivery.contract import Outcome, Verdict
from otel_stdlib.facts.errors import RetryableError

__all__ = ["LONGEST_ASKED", "Backoff", "asked_pause", "to_retry"]

#: No server makes us pause for longer, whatever it asks for: an hour-long ``Retry-After`` is likelier a mistake.
LONGEST_ASKED = 3_600.0


def to_retry(what: str, outcomes: Sequence[Outcome] | None) -> RetryableError:
    """The error that tells of records which a target did not take for now, with its first reason."""
    reasons = (o.reason for o in outcomes or () if o.verdict is Verdict.RETRY and o.reason)
    return RetryableError(f"{what}: {next(reasons, 'no reason given')}")


def asked_pause(seconds: float) -> float:
    """A pause that a server asked for, from 0 to ``LONGEST_ASKED``; 0 for what is no number."""
    return min(seconds, LONGEST_ASKED) if seconds > 0 else 0.0


class Backoff:
    """The pause after the n-th failure in a row: half of ``first * 2**(n-1)`` fixed, half by chance.

    "Equal jitter": no thundering herd, and never an immediate retry.

    Args:
        first: seconds after the first failure, before jitter.
        longest: no pause is longer, jitter included.
        chance: answers with a number from 0 to 1.
    """

    def __init__(self, first: float, longest: float, chance: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self.failures = 0
        #: Not before this time.
        self.due = 0.0

    def fail(self, now: float, retry_after: float = 0.0) -> float:
        """Note a failure; the time of the next try. ``retry_after`` is the server's own wish, bounded."""
        whole = min(self._longest, self._first * 2.0 ** min(self.failures, 60))
        self.failures += 1
        pause = whole / 2 + whole / 2 * self._chance()
        self.due = now + max(pause, asked_pause(retry_after))
        return self.due

    def succeed(self) -> None:
        """Begin anew."""
        self.failures = 0
        self.due = 0.0
