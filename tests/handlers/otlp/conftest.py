from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.handlers.otlp.parts import Gateway, gateway


@pytest.fixture
def server() -> Iterator[Gateway]:
    """An OTLP/HTTP server that answers what the test says."""
    with gateway() as running:
        yield running
