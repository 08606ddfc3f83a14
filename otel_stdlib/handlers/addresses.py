"""Connecting to a host name that has several addresses, of which some may answer nothing.

The usual way tries one address after the other and gives each one the whole limit: behind a name
whose first address is silent every new connection waits it out, and whoever bounds the request as a
whole has no time left for the answer. Here all addresses share the limit, and the one that worked
last comes first. Source of the idea: RFC 8305, "Happy Eyeballs", section 5.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.native import original

__all__ = ["Connector"]

#: No address gets less than this many seconds, however many there are.
_LEAST = 0.25


class Connector:
    """Opens connections and remembers which address of a name worked. Threads may share it."""

    def __init__(self) -> None:
        self._good: dict[tuple[str, int], Any] = {}

    def connect(
        self, host: str, port: int, limit: float, options: Iterable[Sequence[Any]] = ()
    ) -> socket.socket:
        """A connection, made within about ``limit`` seconds.

        Args:
            host: a name or an address.
            port: of the server.
            limit: seconds for all addresses together.
            options: what ``setsockopt`` takes, set before connecting.

        Raises:
            socket.gaierror: the name has no address.
            TimeoutError: no address answered.
            OSError: the last address tried refused.
        """
        end = monotonic() + limit
        found = self._addresses(host, port)
        failed: OSError | None = None
        for left, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            opened: socket.socket = original(socket, "socket")(family, kind, protocol)
            try:
                for option in options:
                    opened.setsockopt(*option)
                opened.settimeout(max(_LEAST, (end - monotonic()) / left))
                opened.connect(address)
            except OSError as error:
                opened.close()
                failed = error
                continue
            except BaseException:
                opened.close()
                raise
            self._good[host, port] = address
            return opened
        raise failed or OSError(f"{host} has no address")

    def _addresses(self, host: str, port: int) -> list[Any]:
        """The name's addresses, resolved anew; the one that worked last comes first while it is among them."""
        resolve = original(socket, "getaddrinfo")
        found = resolve(host.strip("[]"), port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        good = self._good.get((host, port))
        return sorted(found, key=lambda entry: entry[4] != good)
