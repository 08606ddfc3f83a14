"""What a real Collector received, field by field: beside the record, a file's line, and the SDK's own handler."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelFormatter, SpanContext, attach, detach
from otel_stdlib.handlers import JSONLFileHandler, OTLPHandler
from otel_stdlib.queue.handler import OTelQueueHandler
from otel_stdlib.record.otlp import unix_nanos
from tests.handlers.otlp.parts import QUICK
from tests.handlers.otlp.values import line_of
from tests.servers.collector import OtelCollector
from tests.support import eventually

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
EXTRAS: dict[str, Any] = {
    "nested": {"list": [1, "two", None, 2.5, True, {"deep": {}}], "empty": []},
    "raw": b"\x00\xff",
    "deep raw": {"list": ["AP8=", b"\x00", {"k": b"ab"}], "none": b""},
    "big": 2**63 - 1,
    "bigger": 2**70,
    "low": -(2**63),
    "ratio": 0.1,
    "nothing": None,
    "odd": float("nan"),
    "text": "żółć \U0001f600 \ud800",
    "flag": True,
    "empty": "",
    "event.name": "shop.order.placed",
}


BODY: dict[str, Any] = {"raw": b"\x00\xff", "deep": [{"raw": b"ab", "text": "AP8="}]}
#: What a Collector has of the bytes above, and what a line has.
BYTES = {"raw": b"\x00\xff", "deep raw": {"list": ["AP8=", b"\x00", {"k": b"ab"}], "none": b""}}
BASE64 = {"raw": "AP8=", "deep raw": {"list": ["AP8=", "AA==", {"k": "YWI="}], "none": ""}}


@contextmanager
def queue(folder: Path, *handlers: logging.Handler) -> Iterator[logging.Logger]:
    """A logger in front of handlers behind one queue; everything is delivered at the end."""
    made = OTelQueueHandler(handlers=list(handlers), spool={"directory": str(folder / "spool")})
    logger = logging.Logger("shop.orders", logging.DEBUG)
    logger.addHandler(made)
    try:
        yield logger
        assert made.flush(60), made.health()
    finally:
        made.stop(10)


def log_everything(logger: logging.Logger) -> None:
    """Records with everything that a record can have."""
    token = attach(SpanContext(TRACE, SPAN))
    try:
        logger.info("order %d placed", 7, extra=EXTRAS)
        logger.warning({"order": 7, "lines": [{"sku": "a", "n": 1}, {}]})
        logger.warning(BODY)
        try:
            raise KeyError("no such order")
        except KeyError:
            logger.exception("failed")
    finally:
        detach(token)
    logger.debug("many", extra={f"a{n}": n for n in range(200)})
    logger.critical("", stack_info=True)


def prefix_of(lines: list[dict[str, Any]]) -> str:
    """The spool that lines come from: the beginning of their uids."""
    return str(lines[0]["attributes"]["log.record.uid"]).partition("-")[0]


def in_shape(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the JSONL file in the shape of ``line_of``, with the bytes that it has as base64."""
    time_ns = unix_nanos(line["timestamp"])
    return {
        "time": time_ns,
        "observed": time_ns,
        "severity_text": line["severity_text"],
        "severity_number": line["severity_number"],
        "body": BODY
        if line["body"] == {"raw": "AP8=", "deep": [{"raw": "YWI=", "text": "AP8="}]}
        else line["body"],
        "attributes": {**line["attributes"], **(BYTES if "raw" in line["attributes"] else {})},
        "trace_id": line.get("trace_id", ""),
        "span_id": line.get("span_id", ""),
        "trace_flags": line.get("trace_flags"),
        "event_name": line.get("event_name", ""),
        "dropped": line.get("otel.dropped_attributes_count", 0),
        "scope": line["scope"],
        "resource": line["resource"],
    }


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_everything_of_the_record_arrives(
    otel_collector: OtelCollector, tmp_path: Path, protocol: str
) -> None:
    """Each field of each record is what the file beside it has."""
    file = tmp_path / "app.jsonl"
    endpoint = otel_collector.endpoint
    if protocol == "grpc":
        pytest.importorskip("grpc")
        endpoint = otel_collector.grpc_endpoint
    otlp = OTLPHandler(endpoint=endpoint, protocol=protocol, compression="gzip", **QUICK)
    with queue(tmp_path, otlp, JSONLFileHandler(filename=str(file))) as logger:
        log_everything(logger)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = [line_of(item) for item in otel_collector.arrived(prefix_of(lines))]
    assert [in_shape(line) for line in lines] == found
    first = found[0]
    assert (TRACE, SPAN, "01") == (first["trace_id"], first["span_id"], first["trace_flags"])
    assert "shop.order.placed" == first["event_name"]
    assert EXTRAS["nested"] == first["attributes"]["nested"]
    assert {name: first["attributes"][name] for name in BYTES} == BYTES
    assert {name: lines[0]["attributes"][name] for name in BASE64} == BASE64
    assert BODY == found[2]["body"]
    assert (2**63 - 1, -(2**63), str(2**70)) == tuple(
        first["attributes"][k] for k in ("big", "low", "bigger")
    )
    assert 72 == found[4]["dropped"]
    assert {"order": 7, "lines": [{"sku": "a", "n": 1}, {}]} == found[1]["body"]


def test_lines_of_the_file_are_read_by_the_collector(otel_collector: OtelCollector, tmp_path: Path) -> None:
    """The JSONL handler's ``otlp`` lines have the same content as what was sent over the network."""
    file = tmp_path / "otlp.jsonl"
    lines = JSONLFileHandler(filename=str(file))
    lines.setFormatter(OTelFormatter(format="otlp"))
    with queue(tmp_path, OTLPHandler(endpoint=otel_collector.endpoint, **QUICK), lines) as logger:
        log_everything(logger)
    written = file.read_bytes()
    with otel_collector.lines_in.open("ab") as out:
        out.write(written)
    record = json.loads(written.splitlines()[0])["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    (uid,) = (a["value"]["stringValue"] for a in record["attributes"] if a["key"] == "log.record.uid")
    prefix = uid.partition("-")[0]
    eventually(lambda: len(otel_collector.arrived_from_lines(prefix)) >= 6, 60)
    from_lines = [line_of(item) for item in otel_collector.arrived_from_lines(prefix)]
    assert 6 == len(from_lines)
    assert (BYTES["raw"], BODY) == (from_lines[0]["attributes"]["raw"], from_lines[2]["body"])
    assert [line_of(item) for item in otel_collector.arrived(prefix)] == from_lines


def test_loggers_are_scopes_of_one_resource(otel_collector: OtelCollector, tmp_path: Path) -> None:
    """Records of several loggers share an envelope and keep their order within a logger."""
    handler = OTLPHandler(
        endpoint=otel_collector.endpoint,
        spool={"directory": str(tmp_path / "spool")},
        **{**QUICK, "batch_age": 0.3},
    )
    before = otel_collector.network_out.stat().st_size
    for number in range(6):
        record = logging.LogRecord(f"shop.{number % 2}", 20, __file__, 1, f"{number}", (), None)
        handler.handle(record)
    assert handler.flush(60)
    handler.stop(10)
    with otel_collector.network_out.open("rb") as file:
        file.seek(before)
        envelopes = [json.loads(line) for line in file.read().splitlines()]
    (resource,) = (r for envelope in envelopes for r in envelope["resourceLogs"])
    scopes = {
        scope["scope"]["name"]: [record["body"]["stringValue"] for record in scope["logRecords"]]
        for scope in resource["scopeLogs"]
    }
    assert {"shop.0": ["0", "2", "4"], "shop.1": ["1", "3", "5"]} == scopes


def test_beside_the_sdks_own_handler(otel_collector: OtelCollector, tmp_path: Path) -> None:
    """The same call through OpenTelemetry's handler and exporter: equal, but for what is listed here."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.logging.handler")
    exporters = pytest.importorskip("opentelemetry.exporter.otlp.proto.http._log_exporter")
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider

    before = len(otel_collector.arrived())
    provider = LoggerProvider(shutdown_on_exit=False)
    exporter = exporters.OTLPLogExporter(endpoint=f"{otel_collector.endpoint}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    sdk = instrumentation.LoggingHandler(logger_provider=provider, log_code_attributes=True)
    extras = {name: value for name, value in EXTRAS.items() if name not in ("bigger", "odd", "text")}
    with queue(tmp_path, OTLPHandler(endpoint=otel_collector.endpoint, **QUICK)) as logger:
        logger.addHandler(sdk)
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
        with tracer.start_as_current_span("work"):
            logger.info("order %d placed", 7, extra=extras)
    provider.shutdown()
    arrived = [line_of(item) for item in otel_collector.arrived()[before:]]
    (ours,) = (line for line in arrived if "log.record.uid" in line["attributes"])
    (theirs,) = (line for line in arrived if "log.record.uid" not in line["attributes"])
    same = ("severity_text", "severity_number", "trace_id", "span_id", "trace_flags", "body", "dropped")
    for name in same:
        assert theirs[name] == ours[name], name
    assert theirs["scope"]["name"] == ours["scope"]["name"]
    assert 32 == len(ours["trace_id"])
    assert abs(theirs["time"] - ours["time"]) < 1_000  # a line has microseconds
    assert theirs["observed"] - ours["observed"] < 10_000_000_000
    # An event's name that the SDK leaves among the attributes is a field of its own here, or in both.
    assert "shop.order.placed" == ours["event_name"]
    own = {"thread.id", "thread.name", "log.record.uid", "code.function.name", "event.name"}
    for name in (theirs["attributes"].keys() | ours["attributes"].keys()) - own:
        assert theirs["attributes"].get(name) == ours["attributes"].get(name), name
    assert b"\x00\xff" == ours["attributes"]["raw"]
    # A function's name is qualified here.
    function = theirs["attributes"]["code.function.name"]
    assert ours["attributes"]["code.function.name"].endswith(f".{function}")
    for name in ("telemetry.sdk.language", "service.name"):
        assert theirs["resource"][name].split(":")[0] == ours["resource"][name].split(":")[0]
