"""OTLP JSON, as the Collector writes it, as Python values."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from otel_stdlib.spool.ids import is_spool_id


def value_of(value: dict[str, Any]) -> Any:
    """What an ``AnyValue`` holds."""
    if not value:
        return None
    ((kind, content),) = value.items()
    if kind == "intValue":
        return int(content)
    if kind == "bytesValue":
        return base64.b64decode(content)
    if kind == "arrayValue":
        return [value_of(item) for item in content.get("values", ())]
    if kind == "kvlistValue":
        return mapping_of(content.get("values", ()))
    return content


def mapping_of(pairs: Any) -> dict[str, Any]:
    """Key-values as a dictionary; fails on a double key."""
    found = {pair["key"]: value_of(pair.get("value", {})) for pair in pairs}
    assert len(found) == len(pairs)
    return found


def lines_of(found: Iterable[Any]) -> list[dict[str, Any]]:
    """What this package sent, of all that the tests that share a Collector sent."""
    return [line_of(item) for item in found if is_spool_id(_uid_of(item)[:26])]


def _uid_of(arrived: Any) -> str:
    return str(mapping_of(arrived.record.get("attributes", ())).get("log.record.uid", ""))


def line_of(arrived: Any) -> dict[str, Any]:
    """What arrived, in the shape of a record's line; times in nanoseconds."""
    record = dict(arrived.record)
    flags = record.pop("flags", None)
    line = {
        "time": int(record.pop("timeUnixNano")),
        "observed": int(record.pop("observedTimeUnixNano")),
        "severity_text": record.pop("severityText", ""),
        "severity_number": record.pop("severityNumber", 0),
        "body": value_of(record.pop("body", {})),
        "attributes": mapping_of(record.pop("attributes", ())),
        "trace_id": record.pop("traceId", ""),
        "span_id": record.pop("spanId", ""),
        "trace_flags": None if flags is None else f"{flags:02x}",
        "event_name": record.pop("eventName", ""),
        "dropped": record.pop("droppedAttributesCount", 0),
        "scope": arrived.scope,
        "resource": mapping_of(arrived.resource["attributes"]),
    }
    assert {} == record
    return line
