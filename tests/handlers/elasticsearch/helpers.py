"""Frames, batches and sources made from lists, as the spool would give them."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.elasticsearch import ElasticsearchDestination, ElasticsearchOptions
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk
from tests.servers.elasticsearch import Elasticsearch

RESOURCE = orjson.dumps({"service.name": "shop", "host.name": "node-1", "process.pid": 4711})
#: Options that make a test's retries quick.
QUICK = {
    "retry_delay": 0.05,
    "max_retry_delay": 0.2,
    "circuit_breaker_timeout": 0.1,
    "health_check_interval": 0.1,
    "batch_age": 0.0,
}
_encoder = LineEncoder()
_ids = itertools.count()


def make_origin() -> Origin:
    """An origin that no other test has."""
    return Origin(f"01{secrets.token_hex(10).upper()}{next(_ids):04d}"[:26], RESOURCE)


def make_frame(number: int, message: Any = "hello", *, at: float | None = None, **extra: Any) -> Frame:
    """A record as the spool holds it; ``at`` is the event's time in seconds since 1970."""
    record = logging.LogRecord("shop.orders", logging.INFO, __file__, 7, message, (), None)
    if at is not None:
        record.created = at
    record.__dict__.update(extra)
    payload, severity, time_ns = _encoder.encode(record)
    return Frame(number * 1_000, time_ns, record.levelno, severity, payload)


def make_frames(count: int, message: Any = "hello", **extra: Any) -> list[Frame]:
    """``count`` records, each with its number in the attribute ``n``."""
    return [make_frame(n, message, n=n, **extra) for n in range(count)]


def make_batch(frames: Sequence[Frame], origin: Origin | None = None) -> Batch:
    """A batch of an origin of its own."""
    return Batch(origin or make_origin(), frames, frames[0].lsn, frames[-1].lsn + 1)


class ListSource:
    """A source (see the contract) over a list that may grow; ``cursor`` is what the spool's file would keep."""

    def __init__(
        self, frames: Sequence[Frame] = (), *, origin: Origin | None = None, live: bool = True
    ) -> None:
        self.origin = origin or make_origin()
        self.live = live
        self.frames = list(frames)
        self.cursor = 0

    def add(self, frames: Sequence[Frame]) -> None:
        """Log more."""
        self.frames.extend(frames)

    def head(self) -> int:
        """As the contract says."""
        return self.frames[-1].lsn + 1 if self.frames else 0

    def load_cursor(self) -> int:
        """As the contract says."""
        return self.cursor

    def save_cursor(self, lsn: int) -> None:
        """As the contract says."""
        self.cursor = lsn

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """As the contract says."""
        found: list[Frame] = []
        size = 0
        for frame in self.frames:
            if frame.lsn < start:
                continue
            if found and (len(found) >= max_records or size + len(frame.payload) > max_bytes):
                break
            found.append(frame)
            size += len(frame.payload)
        return Chunk(found, found[-1].lsn + 1 if found else start, 0)

    def oldest_time_ns(self, start: int) -> int | None:
        """As the contract says."""
        return next((frame.time_ns for frame in self.frames if frame.lsn >= start), None)

    def close(self) -> None:
        """As the contract says."""

    def uids(self) -> list[str]:
        """The uid of every record."""
        return [Batch(self.origin, self.frames, 0, 0).uid(frame) for frame in self.frames]


def destination(url: str | Sequence[str], **options: Any) -> ElasticsearchDestination:
    """A destination with quick retries."""
    hosts = [url] if isinstance(url, str) else list(url)
    return ElasticsearchDestination(ElasticsearchOptions(hosts=hosts, **{**QUICK, **options}))


@contextmanager
def working(
    target: ElasticsearchDestination, *sources: ListSource, dead: Path
) -> Iterator[DestinationWorker]:
    """The real delivery thread over sources, stopped at the end."""
    worker = DestinationWorker(
        target, target._options.policy, dead_letters=DeadLetterFile(dead, target.identity)
    )
    for source in sources:
        worker.add_source(source)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(time.monotonic() + 5)


def verdicts(outcomes: Sequence[Outcome] | None) -> list[Verdict]:
    """The verdicts alone."""
    return [outcome.verdict for outcome in outcomes or ()]


def stored_ids(server: Elasticsearch, index: str) -> list[str]:
    """The ``_id`` of every document, sorted: a document stored twice shows twice."""
    return sorted(hit["_id"] for hit in server.hits(index))


def in_thread(call: Callable[[], Any]) -> threading.Thread:
    """Run something beside the test."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread
