from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres import PostgresDestination
from otel_stdlib.handlers.postgres.columns import STANDARD
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.handlers.postgres.shape import ColumnInfo, TableShape
from otel_stdlib.handlers.postgres.stream import FirstPiece, RowStream
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.spool.frame import Frame
from tests.handlers.postgres.support import RESOURCE, SPOOL, STEP, TIME_NS, batch, frame, origin
from tests.servers.postgres import Database

SEED_COLUMNS = {
    **{name: ColumnInfo("text") for name in STANDARD},
    "severity_text": ColumnInfo("character varying", 20),
    "trace_id": ColumnInfo("character varying", 32),
    "span_id": ColumnInfo("character varying", 16),
    "attributes": ColumnInfo("jsonb"),
}
_BACK = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def encoder(shape: TableShape | None = None, resource: bytes = RESOURCE) -> RowEncoder:
    """An encoder for the seed's table."""
    return RowEncoder(shape or TableShape(SEED_COLUMNS), Origin(SPOOL, resource))


def decode(row: bytes) -> dict[str, str | None]:
    """A COPY row as PostgreSQL reads it, in the seed's columns."""
    assert row.endswith(b"\n")
    fields = row[:-1].decode().split("\t")
    assert len(STANDARD) == len(fields)

    def unescape(field: str) -> str | None:
        if field == "\\N":
            return None
        return re.sub(r"\\(.)", lambda found: _BACK.get(found[1], found[1]), field, flags=re.DOTALL)

    return {name: unescape(field) for name, field in zip(STANDARD, fields, strict=True)}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=st.text() | VALUES,
    attributes=st.dictionaries(st.text(), VALUES, max_size=4),
    level=st.text(max_size=25),
)
def test_both_paths_give_the_same_record(body: Any, attributes: dict[str, Any], level: str) -> None:
    """Whatever a record holds: the quick path and the careful one agree, and nothing but NUL is changed."""
    line = orjson.dumps(
        {
            "timestamp": "2025-08-22T10:11:12.000001Z",
            "severity_text": level,
            "severity_number": 9,
            "body": body,
            "scope": {"name": "shop"},
            "attributes": attributes,
        }
    )
    given = Frame(STEP, TIME_NS, 20, 9, line[:-2] + (b"," if attributes else b""))
    enc = encoder()
    row = decode(enc.row(given))
    again = decode(enc.careful_row(given))
    for found in (row, again):
        found["attributes"] = json.loads(found["attributes"] or "")
    assert again == row
    if "\0" not in (body if isinstance(body, str) else ""):
        wanted = body if isinstance(body, str) else None if body is None else orjson.dumps(body).decode()
        assert (wanted if "\\u0000" not in (wanted or "") else row["body"]) == row["body"]
    assert (level[:20].replace("\0", "\ufffd")) == row["severity_text"]
    plain = {key: value for key, value in attributes.items() if "\0" not in key and key != "log.record.uid"}
    stored: Any = row["attributes"]
    assert all(
        "\0" in repr(value) or "\\x00" in repr(value) or stored[key] == value for key, value in plain.items()
    )
    assert f"{SPOOL}-{STEP:014x}" == stored["log.record.uid"]


def test_real_lines_take_the_quick_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package's own encoder writes is taken apart without parsing: the speed rests on it."""
    enc = encoder()
    monkeypatch.setattr(enc, "careful_row", None)
    encode = OTelFormatter().encoder.encode
    logger = logging.getLogger("shop.orders")
    extras = {"customer": 'a "b" \\ ü \n', "n": 1, "f": 1.5, "b": True, "list": [1, {"a": "b"}]}
    for message, args in (("plain", ()), ('with "quotes" and %s', ("\\back\n\tslash",)), ("", ())):
        record = logger.makeRecord("shop.orders", logging.INFO, __file__, 7, message, args, None, "f", extras)
        payload, severity, time_ns = encode(record) or (b"", 0, 0)
        row = decode(enc.row(Frame(STEP, time_ns, 20, severity, payload)))
        assert record.getMessage() == row["body"]
        attributes = json.loads(row["attributes"] or "")
        assert extras == {name: attributes[name] for name in extras}
        assert "shop.orders" == attributes["otel.scope.name"]


REPAIRS = [
    (b'"a\\u0000b"', b'"k\\u0000":1', "a\ufffdb", {"k\ufffd": 1}, ["nul"]),
    (b'"\\ud800x"', b'"k":"\\udfff"', "\ufffdx", {"k": "\ufffd"}, ["surrogate"]),
    (b'"x"', b'"k":NaN,"l":-Infinity', "x", {"k": "NaN", "l": "-Infinity"}, ["number"]),
    (b'"\xff"', b'"k":1', "\ufffd", {"k": 1}, ["encoding"]),
    (
        b'{"a":"\\u0000"}',
        b'"k":[{"\\u0000":"\\u0000"}]',
        '{"a":"\ufffd"}',
        {"k": [{"\ufffd": "\ufffd"}]},
        ["nul"],
    ),
    (b'"\\u001b[31m"', b'"k":"\\\\u0000"', "\x1b[31m", {"k": "\\u0000"}, None),
]


def _line(body: bytes, attributes: bytes) -> bytes:
    return (
        b'{"timestamp":"2025-08-22T10:11:12.000001Z","severity_text":"INFO","severity_number":9,"body":%b,'
        b'"scope":{"name":"shop"},"attributes":{%b,' % (body, attributes)
    )


@pytest.mark.parametrize(("body", "attributes", "text", "values", "marks"), REPAIRS)
def test_what_postgresql_refuses_is_repaired_and_marked(
    body: bytes, attributes: bytes, text: str, values: dict[str, Any], marks: list[str] | None
) -> None:
    """NUL in values and keys, lone surrogates, numbers that are none, bytes that are no UTF-8."""
    row = decode(encoder().careful_row(frame(1, line=_line(body, attributes))))
    stored = json.loads(row["attributes"] or "")
    assert text == row["body"]
    assert values == {name: stored.get(name) for name in values}
    assert marks == stored.get("otel_stdlib.repaired")


def test_repaired_rows_are_taken_by_the_server(
    make: Callable[..., PostgresDestination], postgres_database: Database
) -> None:
    """The same lines, and oversized fields, in one batch on a real server."""
    lines = [_line(body, attributes) for body, attributes, *_ in REPAIRS]
    lines.append(_line(b'"%b"' % (b"x" * 3_000_000), b'"k":"%b"' % (b"y" * 500_000)))
    lines.append(_line(b'"x"', b'"deep":' + b"[" * 500 + b"]" * 500))
    lines.append(lines[0].replace(b'"INFO"', b'"%b"' % (b"LONG" * 1_000)))
    target = make()
    target.open()
    frames = [frame(n, line=line) for n, line in enumerate(lines, 1)]
    assert target.deliver(batch(frames, Origin(origin().spool_id, b'{"service.name":"sh\\u0000op"}'))) is None
    rows = postgres_database.execute(
        "SELECT body, severity_text, resource ->> 'service.name', attributes FROM otel_logs ORDER BY id"
    )
    assert [case[2] for case in REPAIRS] == [row[0] for row in rows[: len(REPAIRS)]]
    assert "LONG" * 5 == rows[-1][1]
    assert ["nul", "truncated:severity_text"] == rows[-1][3]["otel_stdlib.repaired"]
    assert {"sh\ufffdop"} == {row[2] for row in rows}
    assert (3_000_000, 500_000) == (len(rows[-3][0]), len(rows[-3][3]["k"]))


def test_the_time_is_the_events() -> None:
    """The line's timestamp, else the frame's."""
    assert (
        "2025-08-22T10:11:12.000001Z"
        == decode(encoder().row(frame(1, line=_line(b'"x"', b'"k":1'))))["timestamp"]
    )
    other = _line(b'"x"', b'"k":1').replace(b"2025-08-22T10:11:12.000001Z", b"22.8.2025")
    assert "2025-08-22T10:11:12.000001+00:00" == decode(encoder().row(frame(1, line=other)))["timestamp"]


def test_members_without_a_column_become_attributes() -> None:
    """Event name, flags, scope, dropped count and what somebody's formatter adds; the caller's own win."""
    line = orjson.dumps(
        {
            "timestamp": "2025-08-22T10:11:12.000001Z",
            "severity_text": "INFO",
            "severity_number": 9,
            "body": "x",
            "trace_id": "0" * 31 + "1",
            "span_id": "0" * 15 + "2",
            "trace_flags": "01",
            "event_name": "order.placed",
            "scope": {"name": "shop"},
            "otel.dropped_attributes_count": 3,
            "attributes": {"event.name": "mine"},
        }
    )
    for text in (line, line.replace(b'"body":"x"', b'"body":"x","region":"eu"')):
        stored = json.loads(decode(encoder().row(frame(1, line=text[:-2] + b",")))["attributes"] or "")
        assert "eu" == stored.pop("region", "eu")
        assert {
            "trace_flags": "01",
            "event.name": "mine",
            "otel.scope.name": "shop",
            "otel.dropped_attributes_count": 3,
            "log.record.uid": f"{SPOOL}-{STEP:014x}",
        } == stored


def test_a_stream_gives_pieces() -> None:
    """A read gives a piece of bounded size, whatever it asks for, and nothing at the end."""
    frames = [frame(n, "x" * 1_000) for n in range(1, 2_002)]
    stream = RowStream(encoder(), frames)
    pieces = []
    while piece := stream.read(8192):
        pieces.append(piece)
    assert 2_001 == b"".join(pieces).count(b"\n")
    assert 600 << 10 > max(map(len, pieces))
    assert b"" == stream.read()


def test_a_first_piece_is_used_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are the same; those made before are not made again. Other frames take no part of it."""
    enc, frames = encoder(), [frame(n, "a\nb") for n in range(1, 402)]
    first = FirstPiece(enc, frames[:200])
    whole = b"".join(map(enc.row, frames))
    made: list[int] = []

    def row(one: Frame) -> bytes:
        made.append(one.lsn)
        return type(enc)._any_row(enc, one)

    monkeypatch.setattr(enc, "row", row)
    assert whole == b"".join(iter(RowStream(enc, frames, first=first).read, b""))
    assert [one.lsn for one in frames[len(first.lsns) :]] == made
    made.clear()
    others = [*frames[:10], *frames[11:]]
    assert 400 == b"".join(iter(RowStream(enc, others, first=first).read, b"")).count(b"\n")
    assert [one.lsn for one in others] == made
    another = RowStream(encoder(), frames, first=first)
    assert whole == b"".join(iter(another.read, b""))
    careful = RowStream(enc, frames, careful=True, first=first)
    assert 401 == b"".join(iter(careful.read, b"")).count(b"\n")


def test_a_stream_keeps_the_error() -> None:
    """The driver hides what a read raised."""
    stream = RowStream(encoder(), [frame(1, line=b"[1,")])
    assert not stream.begun
    with pytest.raises(ValueError, match="line 1"):
        stream.read()
    assert stream.begun
    assert isinstance(stream.error, ValueError)
