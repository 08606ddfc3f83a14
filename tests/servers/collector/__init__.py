"""A real OpenTelemetry Collector, built from Go modules."""

from tests.servers.collector.server import Arrived, OtelCollector, build_collector, find_go

__all__ = ["Arrived", "OtelCollector", "build_collector", "find_go"]
