"""Frames, sources and counts for the PostgreSQL tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from otel_stdlib.delivery.contract import Batch, Origin
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination, PostgresOptions
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk
from tests.servers.postgres import Database

STEP = 512
RESOURCE = b'{"service.name":"shop","host.name":"web-1"}'
SPOOL = "01JGX7Q2ZP5W8K3N4M6T9V0B1C"
TIME_NS = 1_755_857_472_000_000_000


def origin(name: str = SPOOL) -> Origin:
    """An origin with a resource; ``name`` is filled up to a spool id."""
    return Origin(name.ljust(26, "0"), RESOURCE)


def payload(number: int, body: Any = None, **attributes: Any) -> bytes:
    """An open line as the encoder writes it."""
    head = orjson.dumps(
        {
            "timestamp": f"2025-08-22T10:11:{number // 1_000_000 % 60:02d}.{number % 1_000_000:06d}Z",
            "severity_text": "INFO",
            "severity_number": 9,
            "body": f"order {number} placed" if body is None else body,
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "trace_flags": "01",
            "scope": {"name": "shop.orders"},
            "attributes": {"number": number, **attributes},
        }
    )
    return head[:-2] + b","


def frame(number: int, body: Any = None, line: bytes | None = None, **attributes: Any) -> Frame:
    """The frame at place ``number`` of a spool."""
    text = payload(number, body, **attributes) if line is None else line
    return Frame(number * STEP, TIME_NS + number * 1000, 20, 9, text)


def batch(frames: Sequence[Frame], of: Origin | None = None, *, start: int | None = None) -> Batch:
    """A batch that begins and ends at its frames."""
    return Batch(of or origin(), frames, frames[0].lsn if start is None else start, frames[-1].lsn + STEP)


class ListSource:
    """A source on a list; ``extend`` makes it grow. The cursor outlives a worker, as in a spool."""

    live = True

    def __init__(self, frames: Iterable[Frame] = (), of: Origin | None = None) -> None:
        self.origin = of or origin()
        self.frames = list(frames)
        self.saved = 0

    def extend(self, frames: Iterable[Frame]) -> None:
        """More records."""
        self.frames += frames

    def head(self) -> int:
        """Behind the last one."""
        return self.frames[-1].lsn + STEP if self.frames else 0

    def load_cursor(self) -> int:
        """As saved."""
        return self.saved

    def save_cursor(self, lsn: int) -> None:
        """Save."""
        self.saved = lsn

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """The frames at and after ``start``."""
        del max_bytes
        first = max(0, start - self.frames[0].lsn + STEP - 1) // STEP if self.frames else 0
        found = self.frames[first : first + max_records]
        return Chunk(found, found[-1].lsn + STEP if found else start, 0)

    def oldest_time_ns(self, start: int) -> int | None:
        """Not asked for here."""
        del start
        return None

    def close(self) -> None:
        """Nothing to release."""


def options(database: Database, /, **more: Any) -> PostgresOptions:
    """Options for a test database: quick retries, small batches."""
    return PostgresOptions.of({**keywords(database), **more})


def keywords(database: Database, /, **more: Any) -> dict[str, Any]:
    """The same as a configuration gives them."""
    return {
        "host": database.host,
        "port": database.port,
        "database": database.name,
        "user": database.user,
        "password": database.password,
        "sslmode": database.sslmode,
        "batch_age": 0.0,
        "batch_records": 500,
        "retry_delay": 0.02,
        "max_retry_delay": 0.2,
        "max_retries": 1_000_000,
        "circuit_breaker_threshold": 1_000_000,
        **more,
    }


def destination(database: Database, /, **more: Any) -> PostgresDestination:
    """A destination on a test database."""
    return PostgresDestination(options(database, **more))


def worker(target: PostgresDestination, letters: DeadLetterFile | None = None) -> DestinationWorker:
    """A delivery thread for it; its dead letters stay in memory unless a file is given."""
    return DestinationWorker(
        target, target._options.policy, dead_letters=letters or DeadLetterFile(None, target.identity)
    )


def uids(database: Database, table: str = "otel_logs") -> Counter[str]:
    """How often each record is stored."""
    rows = database.execute(f"""SELECT attributes ->> 'log.record.uid' FROM {table}""")
    return Counter(row[0] for row in rows)


def expected(*sources: ListSource) -> Counter[str]:
    """Every record of the sources, once."""
    return Counter(f"{s.origin.spool_id}-{f.lsn:014x}" for s in sources for f in s.frames)
