"""Fixtures of the tests of tracing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tracing.support import Lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Everything that is logged at DEBUG and above, as lines."""
    handler = Lines()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real SDK tracer provider for one test; its exporter, which keeps the finished spans."""
    trace = pytest.importorskip("opentelemetry.trace")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The API lets a provider be set only once per process.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter
