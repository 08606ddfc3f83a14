"""Filters that raise: the record is kept back from their destination, and the application sees nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from tests.queue.parts import Setup


@pytest.mark.parametrize("error", [ValueError("no"), RecursionError(), AssertionError()])
def test_one_that_raises(setup: Setup, error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    """The record is kept from that destination, counted and reported; the caller sees nothing."""

    def broken(_record: logging.LogRecord) -> bool:
        raise error

    setup.a.addFilter(broken)
    setup.logger.error("hunter2")
    assert ([], ["hunter2"], ["hunter2"]) == (setup.bodies("a"), setup.bodies("b"), setup.kept())
    assert (0, 1) == setup.counts("a")
    assert {"ERROR": 1} == setup.queue.health()["dropped"]["filter"]
    assert setup.queue.stop(30)
    assert "filter of a handler raised an error (1 ERROR)" in capfd.readouterr().err


def test_one_that_raises_on_the_queue_handler_or_without_one(tmp_path: Path) -> None:
    """A handler's own filters never raise into the application either."""

    def broken(_record: logging.LogRecord) -> bool:
        raise ValueError

    file = JSONLFileHandler(tmp_path / "a.jsonl")
    queue = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "b.jsonl")])
    record = logging.makeLogRecord({"msg": "x", "levelno": 30})
    for handler in (file, queue):
        handler.addFilter(broken)
        assert not handler.handle(record)
        assert {"filter": {"WARN": 1}} == handler.health()["dropped"]
        assert handler.stop(30)
