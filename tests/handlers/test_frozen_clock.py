"""Applications under test freeze their clocks: records get the frozen time, and waits end all the same."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import freezegun
import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler, OTLPHandler

if sys.version_info < (3, 15):
    import time_machine

    FREEZERS: list[Any] = [freezegun.freeze_time, lambda day: time_machine.travel(day, tick=False)]
else:
    FREEZERS = [freezegun.freeze_time]


@pytest.mark.parametrize("freeze", FREEZERS)
def test_flush_and_stop_end_at_their_deadlines(freeze: Any) -> None:
    """A destination that nobody serves, and a clock that does not move: False, and no wait without end."""
    logger = logging.getLogger("frozen")
    handler = OTelQueueHandler(
        handlers=[OTLPHandler(endpoint="http://127.0.0.1:9/v1/logs")], shutdown_timeout=0.2
    )
    logger.addHandler(handler)
    with freeze("2012-01-14"):
        logger.warning("x")
        assert not handler.flush(0.2)
        assert not handler.stop()
    logger.removeHandler(handler)


@pytest.mark.parametrize("freeze", FREEZERS)
def test_a_record_has_the_frozen_time(freeze: Any, tmp_path: Path) -> None:
    """It is delivered within the deadline, with the time that the application wants."""
    logger = logging.getLogger("frozen")
    handler = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "a.jsonl")])
    logger.addHandler(handler)
    with freeze("2012-01-14"):
        logger.warning("x")
        assert handler.flush(60)
        assert "2012-01-14" == time.strftime("%Y-%m-%d", time.gmtime())
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["timestamp"].startswith("2012-01-14T00:00:00")
    logger.removeHandler(handler)
    handler.stop()
