"""The quick path's protobuf is that of the official messages, and its JSON the same, whatever a record holds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_stdlib import SpanContext, attach, detach
from otel_stdlib.facts import memo
from otel_stdlib.handlers.otlp import quick
from otel_stdlib.handlers.otlp.body import JSON, PROTOBUF, Encoder
from otel_stdlib.handlers.otlp.forms import JSONForm, ProtobufForm
from otel_stdlib.handlers.otlp.protobuf import RecordWriter, envelope
from otel_stdlib.handlers.otlp.quick import QuickWriter
from otel_stdlib.record.line import load_object, load_record
from otel_stdlib.record.otlp import log_record
from otel_stdlib.spool.frame import Frame
from tests.handlers.otlp.parts import make_batch, make_frame
from tests.handlers.otlp.values import mapping_of

LEAVES: Any = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.text(min_size=100, max_size=300)
    | st.binary()
)
VALUES = st.recursive(
    LEAVES, lambda m: st.lists(m, max_size=3) | st.dictionaries(st.text(), m, max_size=3), max_leaves=6
)
KEYS = st.text(min_size=1) | st.sampled_from(
    ["code.line.number", "thread.name", "log.record.uid", "event.name", "a" * 130]
)
#: Not the parameters of ``make_frame``, nor what the test itself gives.
EXTRAS = st.dictionaries(
    KEYS.filter(lambda key: key not in ("number", "message", "logger", "args")), VALUES, max_size=5
)


def by_messages(frames: list[Frame], batch: Any) -> ExportLogsServiceRequest:
    """The request with every record made field by field, by the official messages."""
    scopes: dict[str, list[bytes]] = {}
    write = RecordWriter()
    for frame in frames:
        record = load_record(frame.payload, batch.uid(frame).encode(), b"{}")
        scopes.setdefault(record["scope"]["name"], []).append(write(frame.time_ns, record))
    return ExportLogsServiceRequest.FromString(envelope(load_object(batch.origin.resource), scopes))


def encode(batch: Any, content_type: str = PROTOBUF) -> Any:
    """What the encoder makes of a batch."""
    return Encoder(content_type).encode(batch.origin, batch.frames)


def parsed(batch: Any) -> ExportLogsServiceRequest:
    """What the encoder makes, read by the official messages, with attributes in one order."""
    made = encode(batch)
    assert {} == made.damaged
    return ExportLogsServiceRequest.FromString(made.body)


def of_scopes(batch: Any) -> dict[str, list[Any]]:
    """The encoder's JSON: records by their scopes."""
    made = encode(batch, JSON)
    assert {} == made.damaged
    (resource,) = orjson.loads(made.body)["resourceLogs"]
    return {scope["scope"]["name"]: scope["logRecords"] for scope in resource["scopeLogs"]}


def same(batch: Any) -> None:
    """Both ways have the same content: NaN apart, which is text here, equality of messages is exact."""
    ours, wanted = parsed(batch), by_messages(batch.frames, batch)
    assert wanted == ours
    records: dict[str, list[Any]] = {}
    for frame in batch.frames:
        record = load_record(frame.payload, batch.uid(frame).encode(), b"{}")
        made = orjson.loads(orjson.dumps(log_record(record)))
        records.setdefault(record["scope"]["name"], []).append(made)
    assert records == of_scopes(batch)


def parsed_whole(form: Any, frames: Sequence[Frame]) -> tuple[list[str], list[Frame]]:
    """The scopes that a writer finds, and the frames that were left to be parsed."""
    left: list[Frame] = []

    def careful(frame: Frame) -> tuple[str, bytes]:
        left.append(frame)
        return "parsed", b""

    return [*QuickWriter(form).write(frames, "0" * 26, careful).scopes], left


@given(st.lists(st.tuples(st.text(max_size=200), EXTRAS), min_size=1, max_size=4), st.booleans())
def test_any_record(records: list[tuple[str, dict[str, Any]]], traced: bool) -> None:
    """Texts, numbers, nested values, bytes, names of the package's own, long keys."""
    token = attach(SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")) if traced else None
    try:
        frames = [
            make_frame(number, "%s", args=(text,), logger=f"l{number % 2}", **extras)
            for number, (text, extras) in enumerate(records)
        ]
    finally:
        if token is not None:
            detach(token)
    same(make_batch(frames))


@pytest.mark.parametrize(
    ("message", "extras"),
    [
        ("x" * 125, {}),
        ("x" * 126, {"v": "y" * 20_000}),
        ('a \\ b \n "c" ż \u0000', {"path": "C:\\x", "q": '"'}),
        ('","scope":{', {"thread.name": "mine", "n": {"thread.name": "deep"}}),
        ("ends with ", {"a ": "b ", "c": ["d ", "AP8="]}),
        ({"body": "structured", "scope": {"name": "none"}}, {"v": -1}),
        ("", {"o": 2_097_151, "t": 2_097_152, "u": 10**18, "s": 10**19}),
        ("", {"v": -(2**63), "w": 2**63 - 1, "x": 127, "y": 128, "z": 16_384, "f": -0.0, "g": 1.0, "b": True, "i": 1}),
    ],
)  # fmt: skip
def test_edges(message: Any, extras: dict[str, Any]) -> None:
    """Lengths on both sides of a longer varint, escapes, and texts that look as a line does."""
    same(make_batch([make_frame(1, message, **extras), make_frame(2, message, **extras)]))


@pytest.mark.parametrize("form", [ProtobufForm, JSONForm])
def test_the_ordinary_record_takes_the_quick_path(form: Any) -> None:
    """So that the tests above are about it."""
    frames = [
        make_frame(1, message, **extras)
        for message in ("hello", "żółć", "a\\b\n")
        for extras in (
            {},
            {"n": 1, "t": "x", "f": 0.5, "nested": {"a": [1]}},
            {"nested": {"a": 1, "b": "x"}, "list": ["x", "y"], "comma": "x,"},
            {"exc_text": "Trace\nback"},
        )
    ]
    assert (["shop"], []) == parsed_whole(form(), frames)


SITES: Any = st.tuples(
    st.sampled_from(["one", "two", 'quoted "\\ name']),
    st.sampled_from(["hello", "ends with \\", 'a "quote"', '","scope":{"name":"one"', "żółć", ""]),
    st.sampled_from([None, SpanContext("0" * 31 + "1", "0" * 15 + "1"), SpanContext("f" * 32, "e" * 16)]),
    st.sampled_from([logging.INFO, logging.ERROR]),
    st.sampled_from([{}, {"n": 1}, {"n": "1"}, {"n": True}, {"n": 1.0}, {"n": -1}, {"thread.name": "x"}, {"p": "\\"}]),
)  # fmt: skip


@given(st.lists(SITES, min_size=2, max_size=12))
def test_what_is_remembered_is_not_taken_for_another_line(lines: list[Any]) -> None:
    """Lines of few places, levels, traces and bodies, in any order, from one writer."""
    frames = []
    for number, (logger, message, span, level, extras) in enumerate(lines):
        token = attach(span) if span is not None else None
        try:
            frames.append(make_frame(number, message, logger=logger, levelno=level, **extras))
        finally:
            if token is not None:
                detach(token)
    same(make_batch(frames))


@given(
    st.lists(st.integers(-(2**63), 2**64) | st.integers(-300, 20_000), max_size=20),
    st.sampled_from(["n", "k" * 125, "ż" * 70]),
)
def test_numbers_of_every_length_behind_a_remembered_key(numbers: list[int], key: str) -> None:
    """What stands before a number depends on its length, and on that of the key."""
    same(make_batch([make_frame(at, "x", **{key: number}) for at, number in enumerate([1, *numbers])]))


def test_more_places_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten is made again."""
    monkeypatch.setattr(memo, "_MOST", 2)
    frames = [
        make_frame(at, "x", logger=f"l{at % 5}", **{f"k{at % 3}": f"v{at % 4}", "n": at}) for at in range(60)
    ]
    same(make_batch(frames))


def test_lines_of_the_place_before_are_not_cut_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above are about it: also behind a body with an escape."""
    wanted: list[bytes] = []
    monkeypatch.setattr(quick, "cut", lambda payload, real=quick.cut: wanted.append(payload) or real(payload))
    messages = ("first", "second", 'an "escape"', "third")
    assert (["shop"], []) == parsed_whole(
        ProtobufForm(), [make_frame(1, message, p="C:\\x") for message in messages]
    )
    assert 2 == len(wanted)


TAIL = b'"n":1,"t":"x",'


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        (b'"n":1,"n":2,', {"n": 2}),
        (b'"a":1,"n":1,"a":"x",', {"a": "x", "n": 1}),
        (b'"a":"x,","b":",","c,":",,",', {"a": "x,", "b": ",", "c,": ",,"}),
        (b'"a\\":\\"b":1,', {'a":"b': 1}),
        (b'"a":{"b":1,"c":[1,"x"]},"d":{},', {"a": {"b": 1, "c": [1, "x"]}, "d": {}}),
        (b'"a":-0,"b":1e2,"c":-1.5e-3,"d":null,', {"a": 0, "b": 100.0, "c": -0.0015, "d": None}),
        (b'"log.record.uid":"x",', {}),
        (b'"n":01,', None),
        (b'"n":1},{"m":2,', None),
        (b'"n":1,"m":"x', None),
        (b'"n":1,"m', None),
        (b'"n":tru,', None),
        (b'n":1,', None),
    ],
)  # fmt: skip
def test_members_are_read_as_json_reads_them(content_type: str, members: bytes, wanted: Any) -> None:
    """The later of two counts, commas and quotes inside of texts cut nothing, and what is no JSON is no record."""
    frame = make_frame(1, "hello", n=1, t="x")
    assert frame.payload.endswith(TAIL)
    odd = frame._replace(lsn=2_000, payload=frame.payload[: -len(TAIL)] + members)
    # The lines beside it are remembered from, and are none the worse for it.
    batch = make_batch([frame, odd, frame._replace(lsn=3_000)])
    made = encode(batch, content_type)
    assert (set() if wanted is not None else {2_000}) == made.damaged.keys()
    assert [frame.lsn for frame in made.frames] == (
        [1_000, 2_000, 3_000] if wanted is not None else [1_000, 3_000]
    )
    if content_type == PROTOBUF:
        (scope,) = ExportLogsServiceRequest.FromString(made.body).resource_logs[0].scope_logs
        records: Any = [orjson.loads(MessageToJson(record)) for record in scope.log_records]
    else:
        records = orjson.loads(made.body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    found = [mapping_of(record["attributes"]) for record in records]
    assert ("x", "x") == (found[0]["t"], found[-1]["t"])
    if wanted is not None:
        own = {k: v for k, v in found[1].items() if not k.startswith(("code.", "thread.", "log."))}
        assert wanted == own
        assert batch.uid(odd) == found[1]["log.record.uid"]


def test_a_time_before_1970() -> None:
    """OTLP has none: it is unknown, and the record goes."""
    frame = make_frame(1, "old")._replace(time_ns=-1)
    request = parsed(make_batch([frame]))
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    assert ("old", 0, 0) == (
        record.body.string_value,
        record.time_unix_nano,
        record.observed_time_unix_nano,
    )
    ((json_record,),) = of_scopes(make_batch([frame])).values()
    assert {"stringValue": "old"} == json_record["body"]
