"""Lines that are no records, or records of another shape: they are at fault alone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_stdlib.handlers.otlp.body import JSON, PROTOBUF, Encoder
from otel_stdlib.record.line import load_record
from tests.handlers.otlp.parts import make_batch, make_frame


@pytest.mark.parametrize("at", range(0, 300, 7))
def test_what_is_no_record(at: int) -> None:
    """A line cut anywhere, or with a byte that is no UTF-8, is no record, or is the careful path's."""
    frame = make_frame(1, "hello", text="abc")
    batch = make_batch([frame._replace(payload=frame.payload[:at]), frame._replace(lsn=2_000)])
    made = Encoder(PROTOBUF).encode(batch.origin, batch.frames)
    assert {1_000} >= made.damaged.keys() or not made.damaged
    assert len(made.frames) + len(made.damaged) == 2
    ExportLogsServiceRequest.FromString(made.body)
    broken = frame._replace(payload=frame.payload.replace(b"hello", b"h\xffllo").replace(b"abc", b"a\xfec"))
    assert {1_000} == Encoder(PROTOBUF).encode(batch.origin, [broken]).damaged.keys()
    assert {1_000} == Encoder(JSON).encode(batch.origin, [broken]).damaged.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"severity_number": 9.5},
        {"otel.dropped_attributes_count": {"a": 1}},
        {"scope": "shop"},
        {"trace_id": 7},
    ],
)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_line_of_another_shape_is_at_fault_alone(change: dict[str, Any], content_type: str) -> None:
    """Whatever its fields hold: the records beside it are sent."""
    frames = [make_frame(1), make_frame(2)]
    batch = make_batch(frames)
    line = load_record(frames[0].payload, b"", b"{}")
    attributes = orjson.dumps(line.pop("attributes"))[:-1]
    del line["resource"]
    odd = frames[0]._replace(
        payload=orjson.dumps({**line, **change})[:-1] + b',"attributes":' + attributes + b","
    )
    made = Encoder(content_type).encode(batch.origin, [odd, frames[1]])
    assert {2_000} <= {frame.lsn for frame in made.frames}
    assert {1_000} >= made.damaged.keys()
