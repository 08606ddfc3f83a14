"""Fixtures of the filters' tests."""

from __future__ import annotations

import pytest

from tests.filters.parts import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of filters that are made from now on."""
    made = Clock()
    for name in ("rate_limit", "dedupe"):
        monkeypatch.setattr(f"otel_stdlib.filters.{name}.monotonic", made)
    return made
