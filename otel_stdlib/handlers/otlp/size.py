"""How large a request may be: what the options say, what a server says, and what a path lets through. Pure."""

from __future__ import annotations

from otel_stdlib.facts.clock import Clock

__all__ = ["RequestSize"]

#: No request is made smaller than this for a connection that was cut: then size is hardly the reason.
_LEAST = 16 << 10
#: Seconds for which requests stay small after one was cut: a server that restarts cuts requests too.
_MEMORY = 300.0


class RequestSize:
    """The largest request that is known to be let through, in bytes before compression.

    A server that answers 413 has said so for good. A path that resets large requests says nothing, and
    neither does a server that restarts: after a cut connection requests are half as large for five minutes.

    Args:
        most: the limit of the options.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        #: Of a single record: half of what a server refused is a guess, and it alone can say whether a record fits.
        self.alone = most
        #: What the server has left of it.
        self.firm = most
        self._clock = clock
        self._small = most
        self._until = 0.0

    @property
    def most(self) -> int:
        """The limit now."""
        if self._small < self.firm and self._clock() >= self._until:
            self._small = self.firm
        return min(self.firm, self._small)

    def refused(self, size: int) -> None:
        """A server answered that a request of this size is too large."""
        self.firm = max(1, min(self.firm, size // 2))

    def cut(self, size: int) -> None:
        """The connection was cut while a request of this size was on its way."""
        if size > _LEAST:
            self._small = max(_LEAST, min(self.most, size // 2))
            self._until = self._clock() + _MEMORY
