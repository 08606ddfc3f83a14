"""OTLP JSON: one ``LogsData`` object a line, as the OTLP file exporter specification says.

Encoding rules: lowerCamelCase names, ids as hex, enums as integers, 64-bit integers as decimal
strings (OTLP specification, "JSON Protobuf Encoding").
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

__all__ = ["any_value", "head_members", "key_values", "log_record", "logs_data", "unix_nanos"]

_MAX_INT = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def any_value(value: Any) -> dict[str, Any]:
    """A JSON value, or bytes, as an OTLP ``AnyValue``."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -_MAX_INT <= value < _MAX_INT else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": key_values(value)}}
    if isinstance(value, (list, tuple)):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode("ascii")}
    return {"stringValue": str(value)}


def key_values(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as a list of ``KeyValue``."""
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def unix_nanos(timestamp: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 timestamp in UTC with up to nine digits of fraction."""
    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


def log_record(line: Mapping[str, Any]) -> dict[str, Any]:
    """One record as an OTLP ``LogRecord``."""
    # OTLP has no time before 1970; 0 is its unknown one.
    nanos = str(max(0, unix_nanos(line["timestamp"])))
    record: dict[str, Any] = {
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": line.get("severity_number", 0),
        "severityText": line.get("severity_text", ""),
        "body": any_value(line.get("body")),
        "attributes": key_values(line.get("attributes", {})),
    }
    return {**record, **head_members(line)}


def head_members(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a ``LogRecord`` has of trace, event and dropped attributes."""
    record: dict[str, Any] = {}
    if line.get("otel.dropped_attributes_count"):
        record["droppedAttributesCount"] = line["otel.dropped_attributes_count"]
    if line.get("trace_id"):
        record["traceId"] = line["trace_id"]
        record["flags"] = int(line.get("trace_flags", "00"), 16)
        if line.get("span_id"):
            record["spanId"] = line["span_id"]
    if line.get("event_name"):
        record["eventName"] = line["event_name"]
    return record


def logs_data(line: Mapping[str, Any]) -> dict[str, Any]:
    """One record as ``LogsData`` with its resource and scope."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": key_values(line.get("resource", {}))},
                "scopeLogs": [{"scope": dict(line.get("scope", {})), "logRecords": [log_record(line)]}],
            }
        ]
    }
