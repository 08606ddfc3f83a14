"""A queue handler with filters in front of a file, and what came of its records."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_stdlib import OTelQueueHandler, SpanContext, attach, detach
from otel_stdlib.handlers import JSONLFileHandler

__all__ = ["Clock", "Kept", "Logged", "lines", "logged", "record", "total", "trace"]


def record(message: str = "x", level: int = logging.INFO, name: str = "shop.orders", **fields: Any) -> Any:
    """A record as a logger makes it, with extras."""
    made = logging.LogRecord(name, level, __file__, 10, message, (), None, "call")
    made.__dict__.update(fields)
    return made


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@contextmanager
def trace(trace_id: str, **fields: Any) -> Iterator[None]:
    """A span of this trace is current."""
    token = attach(SpanContext(trace_id, "b" * 16, **fields))
    try:
        yield
    finally:
        detach(token)


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def total(suppressed: dict[str, dict[str, int]], rule: str | None = None) -> int:
    """How many records were suppressed, by one rule or by all."""
    return sum(sum(found.values()) for name, found in suppressed.items() if rule in (None, name))


class Kept(logging.Handler):
    """A handler of another package: it keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append(record)


class Logged:
    """A logger, the queue handler on it, and the file behind that."""

    def __init__(self, folder: Path, *filters: Any) -> None:
        self.path = folder / "out.jsonl"
        self.file = JSONLFileHandler(self.path)
        self.file.name = "file"
        self.queue = OTelQueueHandler(handlers=[self.file])
        for each in filters:
            self.queue.addFilter(each)
        self.logger = logging.getLogger("shop.orders")
        self.logger.setLevel(1)
        self.logger.propagate = False
        self.logger.addHandler(self.queue)

    def lines(self) -> list[dict[str, Any]]:
        """What the file has by now."""
        assert self.queue.flush(30)
        return lines(self.path)

    def suppressed(self) -> dict[str, dict[str, int]]:
        """What the filters in front of the queue dropped."""
        found: dict[str, dict[str, int]] = self.queue.health()["suppressed"]
        return found


@contextmanager
def logged(folder: Path, *filters: Any) -> Iterator[Logged]:
    """The three of them, stopped at the end."""
    made = Logged(folder, *filters)
    try:
        yield made
    finally:
        made.logger.removeHandler(made.queue)
        made.logger.propagate = True
        assert made.queue.stop(30)
