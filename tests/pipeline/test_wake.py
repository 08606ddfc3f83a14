"""How a record that comes alone reaches an idle delivery thread, which no log call wakes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from otel_stdlib.delivery import worker
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.pipeline.generation import Generation
from tests.support import eventually, whole_lines


class Patient(JSONLFileHandler):
    """A handler whose delivery thread does not look for records by itself within the time of a test."""

    @property
    def policy(self) -> DeliveryPolicy:
        """An hour between two looks."""
        return DeliveryPolicy(poll_interval=3600.0)


def test_an_idle_delivery_thread_is_woken_for_a_lone_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its next look: whoever keeps the spool sees the record and wakes it."""
    monkeypatch.setattr(worker, "_LONGEST_WAIT", 3600.0)
    path = tmp_path / "out.jsonl"
    handler = Patient(path)
    try:
        handler.start()
        delivery = next(iter(generation(handler).workers.values()))
        for number in range(1, 4):
            eventually(lambda: delivery.idle)
            handler.handle(logging.makeLogRecord({"name": "app", "levelno": 20, "msg": f"lone {number}"}))
            eventually(lambda count=number: len(whole_lines(path)) == count)
            delivery.wake()  # out of the pause after a batch
    finally:
        assert handler.stop(30)


def generation(handler: JSONLFileHandler) -> Generation:
    """What runs."""
    found = handler.pipeline._generation
    assert found is not None
    return found
