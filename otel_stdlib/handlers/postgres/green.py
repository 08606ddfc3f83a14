r"""psycopg2 where its waits are given to a hub of greenlets: eventlet's patch does that, and psycogreen for gevent.

The wait callback counts for the process, and while there is one psycopg2 refuses COPY. On the
threads of this package the callback waits in the operating system, and the rows that COPY would
have read go into INSERT statements.
"""

from __future__ import annotations

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from otel_stdlib.facts import native
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.threads import is_ours

__all__ = ["copy_in", "waiting_here"]

#: Bytes that the driver asks the stream for at once; the stream gives pieces of its own size.
_COPY_BUFFER = 128 << 10
_COPY = re.compile(r"COPY (.+) FROM STDIN\Z", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_NULL = rb"\N"

_here = native.ThreadLocal()


class _Rows(Protocol):
    def read(self, size: int = -1) -> bytes: ...


def _is_green() -> bool:
    from psycopg2 import extensions

    return extensions.get_wait_callback() is not None


@contextmanager
def waiting_here(seconds: float) -> Iterator[None]:
    """Connect inside, within ``seconds``: libpq does not look at its limit in this mode."""
    from psycopg2 import extensions

    callback = extensions.get_wait_callback()
    if callback is not None and not getattr(callback, "is_of_otel_stdlib", False):

        def wait(connection: Any) -> None:
            if is_ours():
                _wait(connection)
            else:
                callback(connection)

        wait.is_of_otel_stdlib = True  # type: ignore[attr-defined]
        extensions.set_wait_callback(wait)
    _here.until = monotonic() + seconds
    try:
        yield
    finally:
        _here.until = None


def _wait(connection: Any) -> None:
    from psycopg2 import OperationalError, extensions

    until: float | None = getattr(_here, "until", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = native.original(select, "poll")()
        poll.register(connection.fileno(), 1 if state == extensions.POLL_READ else 4)  # POLLIN, POLLOUT
        rest = None if until is None else until - monotonic()
        if (rest is not None and rest <= 0) or not poll.poll(None if rest is None else rest * 1000):
            raise OperationalError("timeout expired")


def copy_in(cursor: Any, before: str, copy_sql: str, rows: _Rows, after: str) -> None:
    """Run ``before``, COPY rows in and run ``after``: in one message, or else one after the other as INSERT."""
    if not _is_green():
        cursor.copy_expert("; ".join(filter(None, (before, copy_sql, after))), rows, _COPY_BUFFER)
        return
    found = _COPY.match(copy_sql)
    assert found is not None
    if before:
        cursor.execute(before)
    while piece := rows.read():
        values = [_values(cursor, line) for line in piece[:-1].split(b"\n")]
        cursor.execute(b"INSERT INTO %b VALUES %b" % (found[1].encode(), b",".join(values)))
    if after:
        cursor.execute(after)


def _values(cursor: Any, line: bytes) -> bytes:
    """The row as it is written in VALUES; the server reads each text as its column's type."""
    fields = [
        None if field == _NULL else _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), field).decode()
        for field in line.split(b"\t")
    ]
    text: bytes = cursor.mogrify("(" + ",".join(["%s"] * len(fields)) + ")", fields)
    return text
