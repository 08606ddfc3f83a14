"""Fixtures of the filters' tests."""

from __future__ import annotations

import pytest

from tests.filters.parts import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of filters that are made from now on."""
    made = Clock()
    monkeypatch.setattr("otel_stdlib.filters.rate_limit.monotonic", made)
    return made
