"""How long a connection is used: TCP keepalive, and limits on its age and on its idle time.

Load balancers, NAT gateways and firewalls forget a connection that is idle for a while, some without a
word to either end: the next request on it waits for its full time limit. So a connection that has been idle
or open for too long is not used again. The delivery thread opens another one before the next batch.
"""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass

from otel_stdlib.delivery.policy import RetryOptions
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_seconds

__all__ = ["KEEPALIVE_COUNT", "KEEPALIVE_INTERVAL", "ConnectionOptions", "Lifetime", "keepalive_options"]

#: Seconds between the questions of TCP keepalive, and how many go unanswered before the connection is ended.
KEEPALIVE_INTERVAL = 10
KEEPALIVE_COUNT = 3
#: What Linux takes for the silence before the first question.
_LONGEST_SILENCE = 32_767
_YEAR = 31_536_000


@dataclass(frozen=True)
class ConnectionOptions(RetryOptions):
    """How connections are kept, and when a target that fails is tried again. Times in seconds."""

    #: Silence after which the system asks whether the other end is still there (TCP keepalive); 0: it does not.
    tcp_keepalive: float = 30.0
    #: A connection that was idle for longer is replaced before the next batch; 0: no limit.
    connection_max_idle: float = 50.0
    #: The same for a connection that is older; 0: no limit.
    connection_max_age: float = 1800.0

    def check_connections(self) -> None:
        """Refuse wrong values.

        Raises:
            ConfigError: a value is wrong; the message quotes the option.
        """
        check_seconds("tcp_keepalive", self.tcp_keepalive, 0, _LONGEST_SILENCE)
        for name in ("connection_max_idle", "connection_max_age"):
            if 0 < check_seconds(name, getattr(self, name), 0, _YEAR) < 1:
                raise ConfigError(
                    f"option {name!r} must be 0, which sets no limit, or at least 1 second, "
                    f"not {getattr(self, name)!r}",
                    option=name,
                )

    def lifetime(self) -> Lifetime:
        """The limits of a connection that is opened now."""
        return Lifetime(self.connection_max_age, self.connection_max_idle)


class Lifetime:
    """One connection's limits, from now on.

    Args:
        max_age: seconds; 0: no limit.
        max_idle: seconds since it was last used; 0: no limit.
    """

    def __init__(self, max_age: float, max_idle: float = 0.0) -> None:
        self._max_age = max_age
        self._max_idle = max_idle
        self._begun = self._used = monotonic()

    def use(self) -> None:
        """The connection has just been used, and answered."""
        self._used = monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the connection is not to be used again."""
        now = monotonic()
        return (0 < self._max_age < now - self._begun) or (0 < self._max_idle < now - self._used)


def keepalive_options(silence: float) -> list[tuple[int, int, int]]:
    """What ``setsockopt`` takes to have the system ask after ``silence`` seconds, as far as it can be told."""
    if not silence:
        return []
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    # macOS has the first one under another name.
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), math.ceil(silence)),
        (("TCP_KEEPINTVL",), KEEPALIVE_INTERVAL),
        (("TCP_KEEPCNT",), KEEPALIVE_COUNT),
    ):
        number = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if number is not None:
            options.append((socket.IPPROTO_TCP, number, value))
    return options
