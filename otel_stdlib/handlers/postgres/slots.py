"""How many connections this process has open to one target."""

from __future__ import annotations

import os

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.threads import Lock
from otel_stdlib.handlers.postgres.connect import identity_of
from otel_stdlib.handlers.postgres.hosts import Hosts
from otel_stdlib.handlers.postgres.options import PostgresOptions
from otel_stdlib.handlers.postgres.session import Session
from otel_stdlib.handlers.renewal import with_new_secrets

__all__ = ["connect", "release", "take"]

_lock = Lock()
_open: dict[tuple[int, str], int] = {}


def take(key: str, limit: int) -> bool:
    """Take one of ``limit`` places for ``key``; false when all are taken. Any thread.

    Counted per process: a forked child has none of its parent's connections.
    """
    with _lock:
        place = (os.getpid(), key)
        count = _open.get(place, 0)
        if count >= limit:
            return False
        _open[place] = count + 1
        return True


def connect(options: PostgresOptions, key: str, hosts: Hosts) -> Session:
    """A connection in a place of its own, to be released when it is closed, made with the secrets of now.

    Raises:
        RetryableError: all places are taken.
        SqlError: there is no connection.
    """
    if not take(key, options.pool_size):
        raise RetryableError(f"all {options.pool_size} connections of 'pool_size' are in use")
    try:
        return Session(with_new_secrets(options, identity_of), hosts)
    except BaseException:
        release(key)
        raise


def release(key: str) -> None:
    """Give a place back."""
    with _lock:
        place = (os.getpid(), key)
        count = _open.get(place, 0)
        if count > 1:
            _open[place] = count - 1
        else:
            _open.pop(place, None)
