"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket
import threading
from pathlib import Path

_given: set[int] = set()
_lock = threading.Lock()
# Own generator: pytest-randomly seeds the shared one, which would make runs side by side ask for the same ports.
_random = random.SystemRandom()


def _below_ephemeral() -> range:
    """Ports that the kernel never gives to outgoing connections, so that a stopped server finds its own again."""
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 32768
    return range(min(15000, low // 2), low)


def free_port() -> int:
    """A port that nothing listens on now and that this process has not given out before.

    Another process may still take it before the server does: whoever starts a server tries again with another.
    """
    candidates = _below_ephemeral()
    with _lock:
        for _ in range(1000):
            port = _random.choice(candidates)
            if port in _given:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _given.add(port)
            return port
    raise OSError("no free TCP port on 127.0.0.1")


def accepts(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts a connection to `port` within a second."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
