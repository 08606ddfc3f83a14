"""OTLP's protobuf, with the messages of ``opentelemetry-proto``.

What is done here is to put serialized messages together, by what the encoding guarantees: two of the
same kind, one behind the other, are one message with the repeated fields of both, and a message inside
another is its field's tag, its length, and its bytes (protobuf.dev, "Encoding"). ``quick`` writes the
ordinary record; this is any record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["MESSAGES", "RecordWriter", "envelope", "fill_value", "varint"]

#: The module that imports all the others.
MESSAGES = "opentelemetry.proto.collector.logs.v1.logs_service_pb2"

_LEAST, _MOST = -(1 << 63), 1 << 63
_ONE = [bytes((number,)) for number in range(128)]


def varint(number: int) -> bytes:
    """A number from 0 as protobuf writes it: 7 bits in a byte, the lowest first."""
    if number < 128:
        return _ONE[number]
    if number < 16_384:
        return bytes((number & 127 | 128, number >> 7))
    if number < 2_097_152:
        return bytes((number & 127 | 128, number >> 7 & 127 | 128, number >> 14))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _before(field: Any, size: int) -> bytes:
    """What stands before a serialized message of ``size`` bytes that is a field; ``field`` is its descriptor."""
    return varint(field.number << 3 | 2) + varint(size)


def envelope(resource: Mapping[str, Any], scopes: Mapping[str, Sequence[bytes]]) -> bytes:
    """An ``ExportLogsServiceRequest``: one resource, and each scope with the records of a writer."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs

    head = ResourceLogs()
    head.resource.SetInParent()
    _fill_attributes(head.resource.attributes.add, resource)
    field = ResourceLogs.DESCRIPTOR.fields_by_name["scope_logs"]
    # Everything is copied once, in the end: these are large.
    parts = [b"", head.SerializeToString()]
    for name, records in scopes.items():
        of_scope = ScopeLogs()
        of_scope.scope.name = name
        own = of_scope.SerializeToString()
        parts += _before(field, len(own) + sum(map(len, records))), own
        parts += records
    parts[0] = _before(
        ExportLogsServiceRequest.DESCRIPTOR.fields_by_name["resource_logs"], sum(map(len, parts))
    )
    return b"".join(parts)


class RecordWriter:
    """Writes records as fields ``log_records`` of a ``ScopeLogs``. Used by one thread."""

    def __init__(self) -> None:
        from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

        self._message = LogRecord
        self._field = ScopeLogs.DESCRIPTOR.fields_by_name["log_records"]

    def __call__(self, time_ns: int, record: Mapping[str, Any]) -> bytes:
        """One record, a dictionary as ``load_record`` gives it."""
        message = self._message()
        # OTLP has no time before 1970; 0 is its unknown one.
        message.time_unix_nano = message.observed_time_unix_nano = max(0, time_ns)
        _fill_head(message, record)
        fill_value(message.body, record.get("body"))
        _fill_attributes(message.attributes.add, record.get("attributes", {}))
        content = message.SerializeToString()
        return _before(self._field, len(content)) + content

    def head(self, record: Mapping[str, Any]) -> bytes:
        """What a record has beside time, body and attributes, as a ``LogRecord`` with nothing else."""
        message = self._message()
        _fill_head(message, record)
        made: bytes = message.SerializeToString()
        return made

    def attributes(self, attributes: Mapping[str, Any]) -> bytes:
        """Attributes, as a ``LogRecord`` with nothing else."""
        message = self._message()
        _fill_attributes(message.attributes.add, attributes)
        made: bytes = message.SerializeToString()
        return made


def _fill_head(message: Any, record: Mapping[str, Any]) -> None:
    message.severity_number = record.get("severity_number", 0)
    message.severity_text = record.get("severity_text", "")
    trace_id = record.get("trace_id")
    if trace_id:
        message.trace_id = bytes.fromhex(trace_id)
        message.flags = int(record.get("trace_flags", "00"), 16)
        span_id = record.get("span_id")
        if span_id:
            message.span_id = bytes.fromhex(span_id)
    message.event_name = record.get("event_name") or ""
    message.dropped_attributes_count = record.get("otel.dropped_attributes_count") or 0


def _fill_attributes(add: Callable[[], Any], attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        pair = add()
        pair.key = key
        fill_value(pair.value, value)


def fill_value(message: Any, value: Any) -> None:
    """Fill an ``AnyValue`` with a JSON value or bytes; nothing is what it holds for null."""
    if isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        if _LEAST <= value < _MOST:
            message.int_value = value
        else:
            message.string_value = str(value)
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, dict):
        message.kvlist_value.SetInParent()
        _fill_attributes(message.kvlist_value.values.add, value)
    elif isinstance(value, list):
        message.array_value.SetInParent()
        for item in value:
            fill_value(message.array_value.values.add(), item)
    else:
        message.SetInParent()
