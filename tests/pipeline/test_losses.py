"""Which destination lost what."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.spool.answers import SEALED
from tests.support import eventually


class Held(logging.Handler):
    """A destination that takes nothing until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "held"
        self.go = threading.Event()

    def handle(self, record: logging.LogRecord) -> bool:
        """Wait."""
        return self.go.wait(60)


def test_an_eviction_is_counted_for_the_destination_that_lags(tmp_path: Path) -> None:
    """The handler's count is the sum of its destinations'; what was delivered after all is in neither."""
    held, file = Held(), JSONLFileHandler(tmp_path / "out.jsonl")
    spool = {
        "directory": tmp_path / "private" / "spool",
        "segment_bytes": 64 << 10,
        "max_bytes": 1 << 20,
        "overflow": "drop_oldest",
    }
    handler = OTelQueueHandler(handlers=[held, file], spool=spool)
    logger = logging.Logger("shop", logging.INFO)
    logger.addHandler(handler)
    count = 0
    try:
        # More than the batch that it holds already, and gets after all.
        while _of(handler, "held").get("evicted", 0) < 3_000:
            for _ in range(200):
                logger.info("order %s %s", count, "x" * 400)
                count += 1
            eventually(lambda: handler.health()["destinations"]["jsonl"]["lag_bytes"] == 0)
        held.go.set()
        assert handler.flush(60)
        # An eviction that had begun counts what was delivered all the same, and takes it back.
        report = eventually(lambda: _adding_up(handler, count))
        held_report, file_report = _of(handler, "held"), _of(handler, "jsonl")
    finally:
        held.go.set()
        handler.stop()
    lost = report["dropped"]["evicted"]["INFO"]
    refused = report["dropped"].get("spool_full", {}).get("INFO", 0)  # where the background was late
    assert held_report["evicted"] == lost > 0
    assert held_report["sent"] + lost + refused == count
    assert (file_report["evicted"], file_report["sent"] + refused) == (0, count)


def test_a_handler_that_is_closed_again_and_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A log call tries a hundred generations, gives the record up, and counts it."""
    handler = OTelQueueHandler(handlers=[Held()], spool={"durability": "memory"})
    pipeline = handler.pipeline
    tries: list[int] = []
    monkeypatch.setattr(pipeline, "_guard", b"\1")
    monkeypatch.setattr(pipeline, "_begin", lambda: True)
    monkeypatch.setattr(pipeline, "_append", lambda *_: tries.append(1) or SEALED, raising=False)
    monkeypatch.setattr(pipeline, "_encode", lambda _: (b"{}", 9, 0))
    pipeline.log(logging.makeLogRecord({"levelno": logging.INFO}))
    assert len(tries) == 101
    assert handler.health()["dropped"] == {"closed": {"INFO": 1}}


def test_a_record_that_an_error_cost_is_counted() -> None:
    """What never came into the spool stands in the report beside what was lost there."""
    handler = OTelQueueHandler(handlers=["nobody by this name"])
    errors: list[logging.LogRecord] = []
    handler.handleError = errors.append  # type: ignore[method-assign]
    for level in (logging.ERROR, logging.INFO):
        handler.handle(logging.LogRecord("shop", level, __file__, 1, "lost", None, None))
    assert len(errors) == 2
    assert handler.health()["dropped"] == {"error": {"ERROR": 1, "INFO": 1}}


def _adding_up(handler: OTelQueueHandler, count: int) -> dict[str, Any]:
    """The report, once what was sent and what was lost is what was logged; nothing before."""
    report = handler.health()
    lost = sum(sum(by.values()) for by in report["dropped"].values())
    return report if report["destinations"]["held"]["sent"] + lost == count else {}


def _of(handler: OTelQueueHandler, name: str) -> dict[str, Any]:
    """What the report says of one destination; nothing before the first record."""
    destination: dict[str, Any] = handler.health().get("destinations", {}).get(name, {})
    return destination
