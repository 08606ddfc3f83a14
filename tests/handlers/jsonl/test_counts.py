"""What the file counts stands in the handler's health."""

from __future__ import annotations

import logging
from pathlib import Path

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler


def test_rotations_are_in_the_report_of_the_queue_handler(tmp_path: Path) -> None:
    """A destination's own counts are under ``counts``."""
    file = JSONLFileHandler(filename=str(tmp_path / "app.jsonl"), max_bytes=2_000, backup_count=100)
    queue = OTelQueueHandler(handlers=[file], spool={"directory": str(tmp_path / "spool")})
    for number in range(50):
        queue.handle(logging.makeLogRecord({"msg": f"record {number}", "levelno": 20, "levelname": "INFO"}))
    assert queue.flush(60)
    counts = queue.health()["destinations"]["jsonl"]["counts"]
    assert queue.stop(30)
    assert counts["rotated"] == len(list(tmp_path.glob("app.jsonl.*"))) > 3
