from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib.handlers.elasticsearch.document import BulkWriter
from otel_stdlib.handlers.elasticsearch.naming import DataStream, IndexPattern
from otel_stdlib.handlers.repair import clean_keys
from otel_stdlib.record.line import load_line
from otel_stdlib.spool.frame import Frame
from tests.handlers.elasticsearch.helpers import RESOURCE, make_frame, make_origin

ORIGIN = make_origin()


def write(frame: Frame, mapping: str = "otel", naming: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The action and the document of one record."""
    writer = BulkWriter(naming or IndexPattern("app"), mapping)
    (item,) = writer.items([frame], ORIGIN, [writer.name(frame, ORIGIN)])
    action, document, rest = item.split(b"\n")
    assert rest == b""
    return orjson.loads(action), orjson.loads(document)


def whole(frame: Frame) -> dict[str, Any]:
    """The record as a file has it."""
    return load_line(frame.payload, uid(frame).encode(), RESOURCE)


def uid(frame: Frame) -> str:
    """Its uid."""
    return f"{ORIGIN.spool_id}-{frame.lsn:014x}"


def test_otel_is_the_line_with_a_timestamp() -> None:
    """The document is the file's line, byte for byte, after ``@timestamp``."""
    frame = make_frame(1, 'a "quoted"\nline', user="x", n=1.5)
    action, document = write(frame)
    assert {"create": {"_index": "app", "_id": uid(frame)}} == action
    assert {"@timestamp": whole(frame)["timestamp"], **whole(frame)} == document
    assert uid(frame) == document["attributes"]["log.record.uid"]
    assert "shop" == document["resource"]["service.name"]


def test_seed_is_the_line_alone() -> None:
    """``seed`` adds nothing, but what a data stream cannot do without."""
    frame = make_frame(1, user="x")
    assert whole(frame) == write(frame, "seed")[1]
    parts = {"type": "logs", "dataset": "shop", "namespace": "default"}
    expected = {"@timestamp": whole(frame)["timestamp"], "data_stream": parts, **whole(frame)}
    assert expected == write(frame, "seed", DataStream(dataset="shop"))[1]


@pytest.mark.parametrize("mapping", ["otel", "seed"])
@pytest.mark.parametrize("naming", [IndexPattern("app-%Y"), DataStream(dataset="shop")])
@pytest.mark.parametrize("at", [None, 1.5, -1.0])
@given(message=st.text() | st.dictionaries(st.text(), st.text()) | st.integers(), extra=st.text())
def test_the_ordinary_line_takes_fewer_steps(
    mapping: str, naming: Any, at: float | None, message: Any, extra: str
) -> None:
    """The lines are those of the way that any record takes."""
    writer = BulkWriter(naming, mapping)
    frames = [make_frame(1, message, at=at, x=extra), make_frame(2, "hello", at=at)]
    names = [writer.name(frame, ORIGIN) for frame in frames]
    quick = writer.items(frames, ORIGIN, names)
    writer._is_line = False
    assert writer.items(frames, ORIGIN, names) == quick


def test_structured_body_is_text_and_structure() -> None:
    """A mapping as message keeps its structure beside the text, so that ``body`` is always text."""
    body = {"order": {"id": 2**53, "sum": 1.10}, "text": 'a "body": b', "tail": [1, None]}
    frame = make_frame(1, body, user="x")
    document = write(frame)[1]
    assert body == document["body_structured"] == orjson.loads(document["body"])
    rest = {
        key: value for key, value in document.items() if key not in ("body", "body_structured", "@timestamp")
    }
    assert {key: value for key, value in whole(frame).items() if key != "body"} == rest


def test_a_list_as_body_stands_under_value() -> None:
    """The structured field holds objects only."""
    frame = make_frame(1)
    frame = frame._replace(payload=frame.payload.replace(b'"body":"hello"', b'"body":[1,{"a":"]"}]'))
    document = write(frame)[1]
    assert {"value": [1, {"a": "]"}]} == document["body_structured"]
    assert '[1,{"a":"]"}]' == document["body"]


def test_timestamp_without_one_in_the_line() -> None:
    """A line that begins otherwise gets its timestamp from the frame."""
    frame = make_frame(1)._replace(time_ns=1_767_225_600_000_000_123)
    frame = frame._replace(payload=b'{"x":1,"body":"a","attributes":{')
    assert "2026-01-01T00:00:00.000000123Z" == write(frame)[1]["@timestamp"]


@pytest.mark.parametrize("naming", [IndexPattern("app"), DataStream()])
def test_ecs(naming: Any) -> None:
    """``ecs`` has the schema's names."""
    frame = make_frame(1, "hello", user="x")
    document = write(frame, "ecs", naming)[1]
    assert "hello" == document["message"]
    assert "info" == document["log"]["level"].lower()
    assert "shop" == document["service"]["name"]
    assert "x" == document["labels"]["user"]
    assert uid(frame) == document["event"]["id"]
    assert naming.is_stream == ("data_stream" in document)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), _json, max_size=4), st.text(max_size=30))
def test_any_body_and_attribute(body: dict[str, Any], text: str) -> None:
    """Whatever is logged, the document is the line and the body is text."""
    for message in (body, text):
        frame = make_frame(1, message, value=body, text=text)
        document = write(frame)[1]
        expected = clean_keys(whole(frame))
        assert isinstance(document["body"], str)
        repaired = document["attributes"].pop("otel_stdlib.repaired", [])
        assert repaired == (["nul"] if expected != whole(frame) else [])
        assert expected["attributes"] == document["attributes"]
        if isinstance(expected["body"], dict):
            assert expected["body"] == document["body_structured"]
        else:
            assert expected["body"] == document["body"]


def test_names_stay_apart_when_they_are_repaired() -> None:
    """U+0000 becomes U+FFFD, and a name that is taken by then gets a number."""
    body = {"a\0": 1, "a\ufffd": 2, "deep": [{"b\0c": "a\0"}]}
    expected = {"a\ufffd#2": 1, "a\ufffd": 2, "deep": [{"b\ufffdc": "a\0"}]}
    assert expected == clean_keys(body)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-86_400.0, "1970-01-01T00:00:00.000000Z"),
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (9_223_372_036.0, "2262-04-11T23:47:16.000000Z"),
        (9_223_372_037.0, "2262-04-11T23:47:16.854775Z"),
        (100_000_000_000.0, "2262-04-11T23:47:16.854775Z"),
    ],
)
@pytest.mark.parametrize("mapping", ["otel", "ecs"])
def test_times_are_clamped(at: float, expected: str, mapping: str) -> None:
    """To what ``date_nanos`` holds; ``timestamp`` keeps the record's own."""
    frame = make_frame(1, at=at)
    document = write(frame, mapping)[1]
    assert expected == document["@timestamp"]
    if mapping == "otel":
        marked = document["attributes"].get("otel_stdlib.repaired")
        assert (["@timestamp"] if document["timestamp"] != expected else None) == marked
