"""OTLP JSON and ECS documents."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from otel_stdlib.record.ecs import ecs_document
from otel_stdlib.record.otlp import any_value, logs_data, unix_nanos

LINE: dict[str, Any] = {
    "timestamp": "2026-01-02T03:04:05.678901Z",
    "severity_text": "ERROR",
    "severity_number": 17,
    "body": "failed",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "span_id": "b7ad6b7169203331",
    "trace_flags": "01",
    "event_name": "payment.failed",
    "scope": {"name": "shop.pay"},
    "otel.dropped_attributes_count": 2,
    "attributes": {
        "exception.type": "shop.PayError",
        "exception.message": "no",
        "exception.stacktrace": "Traceback",
        "code.function.name": "shop.pay.charge",
        "code.file.path": "/srv/pay.py",
        "code.line.number": 7,
        "thread.id": 140_000_000_000_000,
        "thread.name": "main",
        "user": "ann",
        "n": 1 << 60,
        "ok": True,
        "ratio": 0.5,
        "none": None,
        "tags": ["a", 1],
        "deep": {"a.b": {"c": 1}},
        "log.record.uid": "u-1",
    },
    "resource": {"service.name": "shop", "host.name": "h1", "process.pid": 4, "team.name": "a"},
}


class TestOtlp:
    def test_every_field(self) -> None:
        """The record as the OTLP file exporter specification writes it."""
        data = logs_data(LINE)
        (found,) = data["resourceLogs"]
        assert found["resource"]["attributes"][0] == {"key": "service.name", "value": {"stringValue": "shop"}}
        (scope,) = found["scopeLogs"]
        assert scope["scope"] == {"name": "shop.pay"}
        (record,) = scope["logRecords"]
        assert record["timeUnixNano"] == record["observedTimeUnixNano"] == "1767323045678901000"
        assert (record["severityNumber"], record["severityText"]) == (17, "ERROR")
        assert (record["traceId"], record["spanId"], record["flags"]) == (
            LINE["trace_id"],
            LINE["span_id"],
            1,
        )
        assert (record["eventName"], record["droppedAttributesCount"]) == ("payment.failed", 2)
        values = {item["key"]: item["value"] for item in record["attributes"]}
        assert values["n"] == {"intValue": str(1 << 60)}
        assert values["ok"] == {"boolValue": True}
        assert values["ratio"] == {"doubleValue": 0.5}
        assert values["none"] == {}
        assert values["tags"] == {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}
        assert values["log.record.uid"] == {"stringValue": "u-1"}

    def test_the_published_schema_reads_it(self) -> None:
        """The protobuf messages take it; only ids differ, which OTLP writes in hex."""
        logs = pytest.importorskip("opentelemetry.proto.logs.v1.logs_pb2")
        json_format = pytest.importorskip("google.protobuf.json_format")
        data = json.loads(json.dumps(logs_data(LINE)))
        record = data["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        for name in ("traceId", "spanId"):
            record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
        parsed = json_format.ParseDict(data, logs.LogsData())
        found = parsed.resource_logs[0].scope_logs[0].log_records[0]
        assert found.time_unix_nano == 1_767_323_045_678_901_000
        assert found.trace_id.hex() == LINE["trace_id"]
        assert found.attributes[-2].value.kvlist_value.values[0].key == "a.b"

    def test_without_a_trace(self) -> None:
        """Nothing stands for what is not there."""
        line = {
            k: v for k, v in LINE.items() if k not in ("trace_id", "span_id", "trace_flags", "event_name")
        }
        record = logs_data(line)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        assert not {"traceId", "spanId", "flags", "eventName"} & set(record)

    @pytest.mark.parametrize(
        ("text", "nanos"),
        [
            ("1970-01-01T00:00:00.000000Z", 0),
            ("1970-01-01T00:00:01Z", 1_000_000_000),
            ("1969-12-31T23:59:59.500000Z", -500_000_000),
            ("2026-01-02T03:04:05.123456789Z", 1_767_323_045_123_456_789),
        ],
    )
    def test_nanoseconds(self, text: str, nanos: int) -> None:
        """Times are exact."""
        assert unix_nanos(text) == nanos

    def test_integers_past_64_bits_are_text(self) -> None:
        """``intValue`` is signed and has 64 bits."""
        assert any_value(1 << 63) == {"stringValue": str(1 << 63)}
        assert any_value(-(1 << 63)) == {"intValue": str(-(1 << 63))}


class TestEcs:
    def test_every_field(self) -> None:
        """Each member has its place in the schema."""
        found = ecs_document(LINE)
        assert (found["@timestamp"], found["message"], found["log"]["level"]) == (
            LINE["timestamp"],
            "failed",
            "error",
        )
        assert (found["trace"], found["span"]) == ({"id": LINE["trace_id"]}, {"id": LINE["span_id"]})
        assert found["error"] == {"type": "shop.PayError", "message": "no", "stack_trace": "Traceback"}
        assert found["log"]["origin"] == {
            "function": "shop.pay.charge",
            "file": {"name": "/srv/pay.py", "line": 7},
        }
        assert found["event"] == {"severity": 17, "id": "u-1", "action": "payment.failed"}
        assert found["process"] == {"pid": 4, "thread": {"id": 140_000_000_000_000, "name": "main"}}
        assert found["host"] == {"hostname": "h1", "name": "h1"}
        assert found["service"] == {"name": "shop"}
        assert found["ecs"]["version"].startswith("8.")

    def test_nothing_is_lost(self) -> None:
        """What the schema has no place for is a label, or an attribute when it has structure."""
        found = ecs_document(LINE)
        assert found["labels"] == {
            "user": "ann",
            "n": str(1 << 60),
            "ok": "true",
            "ratio": "0.5",
            "team_name": "a",
            "otel_dropped_attributes_count": "2",
        }
        assert found["attributes"] == {"tags": ["a", 1], "deep": {"a.b": {"c": 1}}}

    def test_structured_body(self) -> None:
        """A mapping is text in ``message`` and keeps its structure beside it."""
        found = ecs_document({**LINE, "body": {"a": 1}})
        assert (found["message"], found["body"]) == ('{"a":1}', {"a": 1})
