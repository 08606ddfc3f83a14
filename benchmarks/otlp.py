"""OTLP end to end: ``python -m benchmarks.otlp [--records N] [--rounds N] [--write]``.

Records per second from the first log call until the Collector has written the last record that it
is going to get, beside OpenTelemetry's LoggingHandler, BatchLogRecordProcessor and OTLP/HTTP exporter.
What arrived is counted at the Collector. Each contestant runs in a process of its own, in turns;
a Collector of the tests is started.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.own import log_records, run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section

__all__ = ["main"]

_PACKAGES = (
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-proto",
    "urllib3",
    "grpcio",
)
#: Contestants: the name, what the table calls it.
LABELS = {
    "sdk": "OpenTelemetry SDK, defaults",
    "sdk-large": "OpenTelemetry SDK, a queue that holds the burst",
    "own": "**otel_stdlib**",
    "own-gzip": "**otel_stdlib**, gzip",
    "own-json": "**otel_stdlib**, JSON",
    "own-grpc": "**otel_stdlib**, gRPC",
}
_OPTIONS: dict[str, dict[str, str]] = {
    "own-gzip": {"compression": "gzip"},
    "own-json": {"protocol": "http/json"},
    "own-grpc": {"protocol": "grpc"},
}
_WARM_UP = 1_000


def _own(endpoint: str, **options: Any) -> Callable[[], None]:
    from otel_stdlib.handlers import OTLPHandler

    # Not in /tmp, which is open to everyone: the spool would be in memory.
    folder = tempfile.TemporaryDirectory(dir=Path.home())
    handler = OTLPHandler(
        endpoint=endpoint, spool={"directory": folder.name, "max_bytes": 8 << 30}, **options
    )
    _attach(handler)

    def close() -> None:
        if not handler.flush(300.0):
            raise RuntimeError(f"not delivered: {handler.health()}")

    return close


def _sdk(endpoint: str, queue: int) -> Callable[[], None]:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    exporter = OTLPLogExporter(endpoint=f"{endpoint}/v1/logs")
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=queue))
    _attach(LoggingHandler(logger_provider=provider, log_code_attributes=True))
    return provider.shutdown


def _attach(handler: logging.Handler) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)


def part(name: str, endpoint: str, records: int) -> dict[str, float]:
    """One burst of one contestant: seconds until all is sent, and seconds of the log calls alone."""
    if name.startswith("sdk"):
        close = _sdk(endpoint, 2_048 if name == "sdk" else 2 * records)
    else:
        close = _own(endpoint, **_OPTIONS.get(name, {}))
    log_records(_WARM_UP)
    time.sleep(1.5)
    begin = time.perf_counter()
    log_records(records)
    logged = time.perf_counter()
    close()
    return {"seconds": time.perf_counter() - begin, "log_seconds": logged - begin}


def _count(path: Path, start: int) -> int:
    """The records in the Collector's file behind ``start``."""
    with path.open("rb") as file:
        file.seek(start)
        return sum(
            len(scope["logRecords"])
            for line in file
            for resource in json.loads(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
        )


def run(records: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """All rounds, the contestants taking turns."""
    from tests.servers.collector import OtelCollector

    found: dict[str, list[dict[str, float]]] = {name: [] for name in LABELS}
    with OtelCollector() as collector:
        for _ in range(rounds):
            for name in LABELS:
                start = collector.network_out.stat().st_size
                endpoint = collector.grpc_endpoint if name == "own-grpc" else collector.endpoint
                result = run_part("benchmarks.otlp", ["--part", name, endpoint, str(records)])
                arrived = _count(collector.network_out, start) - _WARM_UP
                result["rate"] = arrived / result["seconds"]
                result["dropped"] = records - arrived
                found[name].append(result)
    return found


def report(found: dict[str, list[dict[str, float]]], records: int) -> str:
    """The section of the results."""

    def median(name: str, key: str) -> float:
        return statistics.median(result[key] for result in found[name])

    best = max(median("sdk", "rate"), median("sdk-large", "rate"))
    rows = [
        [
            label,
            f"{median(name, 'rate'):,.0f}",
            f"{median(name, 'rate') / best:.2f}",
            f"{median(name, 'log_seconds') / records * 1e6:.1f}",
            f"{median(name, 'dropped'):,.0f}",
        ]
        for name, label in LABELS.items()
    ]
    head = ["to a Collector", "records/s that arrived", "× the SDK's better", "mean µs per call", "dropped"]
    return (
        f"## OTLP, end to end\n\n{table(head, rows)}\n\n"
        f"`{command_line('benchmarks.otlp')}`: bursts of {records:,} records, each in its own process, "
        f"interleaved rounds, medians. {machine(_PACKAGES)}"
    )


def main() -> None:
    """Run and print everything."""
    if sys.argv[1:2] == ["--part"]:
        print(json.dumps(part(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    given = parser.parse_args()
    text = report(run(given.records, given.rounds), given.records)
    print(text)
    if given.write:
        write_section(RESULTS, "otlp", text)


if __name__ == "__main__":
    main()
