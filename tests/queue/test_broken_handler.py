"""A plain handler that raises on everything."""

from __future__ import annotations

import logging

from otel_stdlib import OTelQueueHandler
from tests.support import eventually


class Keep(logging.Handler):
    """Keeps the records that it is given, unless it is broken."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken
        self.records: list[logging.LogRecord] = []

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep it."""
        if self.broken:
            raise RuntimeError("broken")
        self.records.append(record)
        return True


def test_a_broken_handler_does_not_keep_records_from_the_others() -> None:
    """Each destination has its own cursor and thread; what a broken one raised on waits for it."""
    logger = logging.getLogger("tests.queue.broken")
    logger.setLevel(1)
    logger.propagate = False
    bad, keep = Keep(broken=True), Keep()
    handler = OTelQueueHandler(handlers=[bad, keep])
    logger.addHandler(handler)
    try:
        for n in range(100):
            logger.info("%d", n)
        eventually(lambda: len(keep.records) == 100)
        assert [r.getMessage() for r in keep.records] == [str(n) for n in range(100)]
        eventually(lambda: any(d["failing"] for d in handler.health()["destinations"].values()))
        (failing,) = (d for d in handler.health()["destinations"].values() if d["failing"])
        assert "RuntimeError: broken" in failing["last_error"]
        bad.broken = False
        assert handler.flush(60)
        assert len(bad.records) + failing["rejected"] == 100
        assert failing["rejected"] < 10
    finally:
        logger.removeHandler(handler)
        assert handler.stop(30)
