"""The encoder over values that nobody thought of: never an exception, always bounded, strict JSON."""

from __future__ import annotations

import datetime as dt
import json
import logging
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.traceparent import format_traceparent, parse_traceparent
from otel_stdlib.record.values import Normaliser
from tests.record.lines import close


class Hostile:
    """Raises, or answers nonsense, in every method that an encoder might call."""

    def __init__(self, how: int) -> None:
        self.how = how

    def _act(self) -> Any:
        if self.how % 3 == 0:
            raise RuntimeError("no")
        if self.how % 3 == 1:
            return 5
        return "\ud800" * self.how

    def __str__(self) -> str:
        return self._act()  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return self._act()  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return self.how

    def __bool__(self) -> bool:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def _mapping(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in pairs:
        try:
            result[key] = value
        except RuntimeError:  # two hostile keys of one hash
            continue
    return result


_text = st.text(st.characters(exclude_categories=()), max_size=30)
_leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1 << 62, 1 << 66)
    | st.floats()
    | _text
    | st.binary(max_size=30)
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.builds(Hostile, st.integers(0, 8))
    | st.builds(ValueError, _text)
    | st.just(object)
)
_key = _text | st.integers() | st.none() | st.tuples(st.integers()) | st.builds(Hostile, st.integers(0, 8))
_any = st.recursive(
    _leaf,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(_text, inner, max_size=5)
        | st.lists(st.tuples(_key, inner), max_size=4).map(_mapping)
    ),
    max_leaves=20,
)


_names = _text | st.sampled_from(
    [
        "trace_id",
        "span_id",
        "trace_flags",
        "correlation_id",
        "event.name",
        "otelTraceID",
        "code.line.number",
        "exception.type",
        "log.record.uid",
        "message",
        "asctime",
        "resource",
        "otel_stdlib.attributes",
    ]
)
SMALL = Limits(
    attribute_count=5,
    value_length=20,
    body_length=50,
    depth=3,
    items=4,
    stacktrace_length=200,
    stacktrace_frames=3,
    exceptions=2,
    total_bytes=4_096,
)
DEFAULT, BOUNDED = LineEncoder(), LineEncoder(limits=SMALL)
SHAPED = [OTelFormatter(format=shape) for shape in ("ecs", "otlp")] + [OTelFormatter(fmt="%(message)s")]


def _check(record: logging.LogRecord) -> None:
    for encoder, most in ((DEFAULT, 1 << 20), (BOUNDED, 4_096)):
        encoded = encoder.encode(record)
        assert encoded is not None
        payload, severity, time_ns = encoded
        assert len(payload) <= most
        assert b"\n" not in payload
        line = close(payload)
        assert line["severity_number"] == severity
        stamp = dt.datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
        assert (stamp - epoch) // dt.timedelta(microseconds=1) * 1000 == time_ns
    for formatter in SHAPED:
        json.loads(formatter.format(record))


@settings(max_examples=150, deadline=None)
@given(
    msg=_any,
    args=st.lists(_any, max_size=3).map(tuple) | _any,
    extra=st.dictionaries(_names, _any, max_size=8),
    level=st.integers(-5, 70),
)
def test_any_record(msg: Any, args: Any, extra: dict[str, Any], level: int) -> None:
    """Any message, arguments and extras make a line that a strict parser reads, within the limits."""
    record = logging.LogRecord("a.b", level, "/x/y.py", 3, msg, (), None)
    record.args = args
    record.__dict__.update({k: v for k, v in extra.items() if k not in record.__dict__})
    _check(record)


@settings(max_examples=100, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(sorted(logging.makeLogRecord({}).__dict__)), _any, max_size=6))
@example(fields={"pathname": [None], "levelno": Decimal(6)})
def test_any_spoiled_record(fields: dict[str, Any]) -> None:
    """So does a record whose own fields hold anything."""
    record = logging.makeLogRecord({"msg": "x"})
    record.__dict__.update(fields)
    _check(record)


@settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(_text, min_size=1, max_size=40),
    links=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39), st.booleans()), max_size=60),
)
def test_any_chain_of_exceptions(messages: list[str], links: list[tuple[int, int, bool]]) -> None:
    """Causes and contexts may form any graph, cycles included."""
    errors = [RuntimeError(message) for message in messages]
    for start, end, is_cause in links:
        one, other = errors[start % len(errors)], errors[end % len(errors)]
        if is_cause:
            one.__cause__ = other
        else:
            one.__context__ = other
    _check(logging.makeLogRecord({"msg": "x", "exc_info": (RuntimeError, errors[0], None)}))


@settings(max_examples=150, deadline=None)
@given(value=_any)
def test_normal_values_are_stable(value: Any) -> None:
    """What the normaliser made is, once written and read, what it makes of it again."""
    once = orjson.loads(orjson.dumps(Normaliser(Limits()).value(value)))
    assert Normaliser(Limits()).value(once) == once


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    extra=st.dictionaries(st.text(min_size=1, max_size=8).map("x_".__add__), _plain, max_size=6), body=_plain
)
def test_json_comes_back_as_it_was(extra: dict[str, Any], body: Any) -> None:
    """Values that JSON has are not changed on either way through the encoder."""
    message = {"body": body}
    record = logging.makeLogRecord({"msg": message, **extra})
    encoded = DEFAULT.encode(record)
    assert encoded is not None
    line = close(encoded[0])
    assert line["body"] == message
    assert {name: line["attributes"][name] for name in extra} == extra


@given(
    trace=st.integers(1, (1 << 128) - 1),
    span=st.integers(1, (1 << 64) - 1),
    flags=st.integers(0, 255),
    version=st.integers(0, 255),
    rest=st.text(max_size=10),
)
def test_traceparent(trace: int, span: int, flags: int, version: int, rest: str) -> None:
    """Valid headers come back the same; anything after them is for later versions only."""
    header = f"{version:02x}-{trace:032x}-{span:016x}-{flags:02x}"
    parsed = parse_traceparent(header)
    assert (parsed is None) == (version == 255)
    if parsed is not None:
        assert (parsed.trace_id, parsed.span_id) == (f"{trace:032x}", f"{span:016x}")
        again = parse_traceparent(format_traceparent(parsed))
        assert again == parsed
    parse_traceparent(header + rest)
    parse_traceparent(rest)
