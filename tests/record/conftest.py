"""Logging through a real logger, and what its record becomes."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

from otel_stdlib.record.encoder import LineEncoder
from tests.record.lines import Logged, close


@pytest.fixture
def logged() -> Logged:
    """Log through a real logger and give what its record becomes."""

    def log(
        msg: Any, *args: Any, level: int = logging.INFO, encoder: LineEncoder | None = None, **more: Any
    ) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        coder = encoder or LineEncoder()

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                encoded = coder.encode(record)
                assert encoded is not None
                found.append(close(encoded[0]))
                # The second record of a call site takes the cached way.
                again = coder.encode(record)
                assert again == encoded

        logger = logging.getLogger("tests.record")
        logger.setLevel(1)
        logger.propagate = False
        keep = Keep()
        logger.addHandler(keep)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                logger.log(level, msg, *args, **more)
        finally:
            logger.removeHandler(keep)
        return found[0]

    return log
