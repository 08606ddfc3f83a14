"""The lines on stderr about an outage: its beginning, now and then, and its end."""

from __future__ import annotations

from collections.abc import Callable

from otel_stdlib.delivery.backlog import backlog_of
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.spool.frame import Frame

__all__ = ["OutageNotice"]


class OutageNotice:
    """Reports for one destination. Used by its delivery thread.

    Args:
        name: the destination's.
        after: failures in a row before the first line.
        accept: which records it wants; None: all.
    """

    def __init__(self, name: str, after: int, accept: Callable[[Frame], bool] | None) -> None:
        self._name = name
        self._after = after
        self._accept = accept
        self._reported = False

    def failed(self, lane: Lane, text: str) -> None:
        """Report that it takes nothing, and what waits for it, once it has failed often enough."""
        if max(lane.backoff.failures, lane.held.misses) < self._after:
            return
        self._reported |= say(
            f"failing:{self._name}",
            f"{self._name} does not take records; {self._waiting(lane)} in the spool. {text}",
        )

    def refuses(self, lane: Lane, reason: str) -> None:
        """Report, once in an outage, that it refuses everything, and that this is not the records' fault."""
        if self._reported:
            return
        self._reported = say(
            f"refusing:{self._name}",
            f"{self._name} refuses one record after the other; {self._waiting(lane)} in the spool until one is stored. "
            f"{reason}",
            force=True,
        )

    def _waiting(self, lane: Lane) -> str:
        backlog = backlog_of(lane, self._accept)
        waiting = f"{backlog.text}, the oldest for {backlog.age}" if backlog.records else "records"
        return f"{waiting} {'waits' if backlog.records == 1 else 'wait'}"

    def works(self, lane: Lane) -> None:
        """Report that it takes records again, where it was reported that it did not. Before they are settled."""
        if not self._reported:
            return
        self._reported = False
        backlog = backlog_of(lane, self._accept)
        say(
            f"works:{self._name}",
            f"{self._name} takes records again; {backlog.count} waited, oldest {backlog.age}",
            force=True,
        )
