"""Fixtures of the queue handler's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.queue.parts import Setup


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    """The handlers, stopped at the end."""
    made = Setup(tmp_path)
    yield made
    made.logger.removeHandler(made.queue)
    assert made.queue.stop(30)
