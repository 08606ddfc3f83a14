"""How much is sent at once: less under pressure, more again when all is well. Pure."""

from __future__ import annotations

from otel_stdlib.facts.threads import Lock

__all__ = ["Pace"]

_LEAST_BYTES = 1_024
#: A request of so few bytes that gets no answer did not fail for its size.
_SMALL_BYTES = 16 << 10


class Pace:
    """The bytes of one bulk request and the number of requests in flight. Any thread may call it.

    Pressure (429) first takes the requests beside each other away and then halves their size;
    a request that is too large (413) halves the size. One that got no answer in time may have
    been too large for the way to the server: it does both. Each success gives back a tenth.

    Args:
        most_bytes: the bytes of one request at most.
        most_workers: the requests in flight at most.
    """

    def __init__(self, most_bytes: int, most_workers: int) -> None:
        self._most_bytes = most_bytes
        self._most_workers = most_workers
        self._lock = Lock()
        self._bytes = float(most_bytes)
        self._workers = float(most_workers)
        #: What the server has refused as too large: never tried again.
        self._ceiling = float(most_bytes)

    @property
    def bytes(self) -> int:
        """The bytes of the next request."""
        return int(self._bytes)

    @property
    def workers(self) -> int:
        """The requests that may be in flight."""
        return int(self._workers)

    def pressed(self) -> None:
        """The server asks for less."""
        with self._lock:
            if self._workers > 1:
                self._workers = 1.0
            else:
                self._bytes = max(self._bytes / 2, _LEAST_BYTES)

    def too_large(self, size: int) -> None:
        """A request of ``size`` bytes was too large."""
        with self._lock:
            self._ceiling = max(min(self._ceiling, size * 0.9), _LEAST_BYTES)
            self._bytes = max(min(self._bytes, size / 2), _LEAST_BYTES)

    def unanswered(self, size: int) -> None:
        """A request of ``size`` bytes got no answer."""
        with self._lock:
            self._workers = 1.0
            self._bytes = min(self._bytes, max(size / 2, _SMALL_BYTES))

    def well(self) -> None:
        """A request was taken."""
        with self._lock:
            self._bytes = min(self._bytes * 1.1, self._ceiling, float(self._most_bytes))
            self._workers = min(self._workers + 0.1, float(self._most_workers))
