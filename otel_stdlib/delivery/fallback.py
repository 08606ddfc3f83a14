"""What waits for a destination that is down, written where people can read it meanwhile.

While the breaker of a destination (the primary) has been open for ``after`` seconds, a second
delivery thread reads along from the primary's cursor and writes to another destination,
usually a JSONL file. It changes nothing for the primary: that one's cursor stays, and when its
server is back it gets every record, those that were written here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_stdlib.delivery.contract import Destination, Origin, Source
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.facts.options import check_seconds
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk

__all__ = ["Fallback", "FallbackSource", "Primary"]


class Primary:
    """What a fallback has to know of the destination that it stands in for. Any thread.

    Args:
        outage: since when the breaker has not been closed, on ``clock``; None: it is closed.
        cursors: how far each source is, by spool id; one that is taken out is missing.
        after: seconds for which the breaker must have been open.

    Raises:
        ConfigError: ``after`` is not a number of seconds of 0 or more.
    """

    def __init__(
        self,
        outage: Callable[[], float | None],
        cursors: Callable[[], Mapping[str, int]],
        after: float,
        clock: Clock = monotonic,
    ) -> None:
        self._outage = outage
        self._cursors = cursors
        self._after = check_seconds("fallback.after", after, 0)
        self._clock = clock

    def is_down(self) -> bool:
        """Whether the outage has lasted long enough."""
        since = self._outage()
        return since is not None and self._clock() - since >= self._after

    def cursor(self, origin: Origin) -> int | None:
        """Everything below is settled there; None when it has no such source (any more)."""
        return self._cursors().get(origin.spool_id)


class FallbackSource:
    """A view of a spool that shows records only while the primary is down. One thread reads it.

    Its cursor lives in memory. It never begins below the primary's, so what was delivered is
    not written here; and it never goes back, so a second outage does not write a record twice.

    Args:
        view: a second source of the same spool, read by nobody else. Its cursor is not touched.
    """

    def __init__(self, view: Source, primary: Primary) -> None:
        self._view = view
        self._primary = primary
        self._cursor = 0
        self.origin = view.origin
        #: False once a dead process's spool has left the primary: then the worker lets go of this one.
        self.live = True

    def head(self) -> int:
        """The spool's head during an outage; at other times its own cursor: there is nothing to do."""
        return self._view.head() if self._is_shown() else self._cursor

    def _is_shown(self) -> bool:
        if not self._view.live and self._primary.cursor(self.origin) is None:
            self.live = False
        return self.live and self._primary.is_down()

    def load_cursor(self) -> int:
        """Where the primary is, or where this one was when that is further."""
        self._cursor = max(self._cursor, self._primary.cursor(self.origin) or 0)
        return self._cursor

    def save_cursor(self, lsn: int) -> None:
        """Kept in memory: a lost value writes some lines again, with the same uids."""
        self._cursor = max(self._cursor, lsn)

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Frames from ``start`` or the primary's cursor on; none when the outage has just ended.

        Damage is not reported: the primary meets and counts the same frames.
        """
        start = max(start, self._primary.cursor(self.origin) or 0)
        if not self._is_shown():
            return Chunk([], start, 0)
        chunk = self._view.read(start, max_records, max_bytes)
        return Chunk(chunk.frames, chunk.end, 0)

    def oldest_time_ns(self, start: int) -> int | None:
        """As the spool says."""
        return self._view.oldest_time_ns(start)

    def close(self) -> None:
        """Release the view."""
        self._view.close()


class _Unkept(DeadLetterFile):
    """No dead letters: what the fallback refuses still waits in the spool for the primary."""

    kept = False

    def write(self, origin: Origin, letters: Sequence[tuple[Frame, str]]) -> None:
        """Keep nothing; the worker counts."""


class Fallback:
    """The delivery thread of a fallback.

    ``flush`` of a pipeline does not wait for it, and its failures touch nobody.

    Args:
        destination: where the lines go; used by this object's thread only.
        primary: the destination that it stands in for.
        policy: how ``destination`` is delivered to.
        accept: the primary's test of frames, so that both have the same records.
    """

    def __init__(
        self,
        destination: Destination,
        primary: Primary,
        policy: DeliveryPolicy | None = None,
        *,
        accept: Callable[[Frame], bool] | None = None,
    ) -> None:
        self._primary = primary
        self._worker = DestinationWorker(
            destination,
            DeliveryPolicy() if policy is None else policy,
            dead_letters=_Unkept(None, destination.identity),
            accept=accept,
        )

    def add_view(self, view: Source) -> None:
        """Read along in one more spool: add it to the primary first. Any thread."""
        self._worker.add_source(FallbackSource(view, self._primary))

    @property
    def idle(self) -> bool:
        """Whether its thread waits to be nudged: never, as it begins when an outage does, not with a record."""
        return False

    def nudge(self) -> None:
        """Nothing: it polls."""

    def forget(self, origin: Origin) -> None:
        """Let the target drop what it keeps for an origin that is delivered and deleted. Any thread."""
        self._worker.forget(origin)

    def is_running(self) -> bool:
        """Whether its thread is alive."""
        return self._worker.is_running()

    def start(self) -> None:
        """Start the thread. Idempotent.

        Raises:
            RuntimeError: the interpreter is ending.
        """
        self._worker.start()

    def request_stop(self, deadline: float) -> None:
        """Write what waits until ``deadline`` (monotonic seconds), then end. Does not wait."""
        self._worker.request_stop(deadline)

    def stop(self, deadline: float) -> bool:
        """``request_stop`` and wait; whether everything was written. Never hangs with its destination."""
        return self._worker.stop(deadline)

    def snapshot(self) -> dict[str, Any]:
        """The worker's report, with ``active``: whether it is reading along now."""
        return {**self._worker.snapshot(), "active": self._primary.is_down()}
