from __future__ import annotations

import secrets

import pytest


@pytest.fixture
def index() -> str:
    """The beginning of the names of indices that no other test has."""
    return f"test-{secrets.token_hex(6)}"
