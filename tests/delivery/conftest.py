"""Every worker that a test made is ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.delivery.parts import WORKERS


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Every worker that a test made is ended."""
    yield
    while WORKERS:
        WORKERS.pop().stop(time.monotonic())
