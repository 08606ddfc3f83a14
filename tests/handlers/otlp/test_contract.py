"""The suite that every back end passes, on a real Collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from otel_stdlib.handlers import OTLPHandler
from otel_stdlib.testing import BackendContract
from tests.handlers.otlp.parts import QUICK
from tests.handlers.otlp.values import lines_of
from tests.servers.collector import OtelCollector
from tests.servers.proxy import Proxy


class OnACollector(BackendContract):
    """What all protocols share."""

    backend = OTLPHandler
    protocol = ""

    @pytest.fixture(autouse=True)
    def _collector(self, otel_collector: OtelCollector, proxy: Callable[[str, int], Proxy]) -> None:
        grpc = self.protocol == "grpc"
        if grpc:
            pytest.importorskip("grpc")
        self.collector = otel_collector
        self.door = proxy(otel_collector.host, otel_collector.grpc_port if grpc else otel_collector.http_port)
        self.config: Mapping[str, Any] = {
            "endpoint": f"http://127.0.0.1:{self.door.port}",
            "protocol": self.protocol,
            "headers": {"api-key": "hunter2"},
            **QUICK,
        }

    def stored(self) -> list[dict[str, Any]]:
        """What the Collector wrote."""
        return lines_of(self.collector.arrived())

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The port is closed."""
        self.door.stop()
        try:
            yield
        finally:
            self.door.start()


class TestProtobuf(OnACollector):
    """OTLP/HTTP with protobuf."""

    protocol = "http/protobuf"


class TestJSON(OnACollector):
    """OTLP/HTTP with JSON."""

    protocol = "http/json"


class TestGRPC(OnACollector):
    """OTLP/gRPC."""

    protocol = "grpc"
