"""Bytes in a line: base64 for every reader of JSON, bytes for those who can say so."""

from __future__ import annotations

import base64
import logging
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib import OTelFormatter
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.line import load_line, load_object, load_record
from otel_stdlib.record.resource import Resource
from otel_stdlib.record.values import Normaliser
from tests.record.lines import Logged

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(max_size=60),
    lambda members: st.lists(members, max_size=4) | st.dictionaries(st.text(min_size=1), members, max_size=4),
    max_leaves=12,
)
#: Texts that look as the mark does.
LOOKALIKES = ["a ", "a: ", "a, ", "[ ", ' "', ': "AP8="', '[ "AP8=", "b', " ", ': "', '", "AP8=', '\\ "AP8="']


def as_text(value: Any) -> Any:
    """A value as a line has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: as_text(member) for key, member in value.items()}
    return [as_text(member) for member in value] if isinstance(value, list) else value


def written(value: Any) -> bytes:
    """An open line with a value as body and among the attributes."""
    made = orjson.dumps(Normaliser(Limits(depth=50)).value(value))
    return b'{"body":%b,"attributes":{"v":%b,' % (made, made)


@given(VALUES)
def test_bytes_are_bytes_again(value: Any) -> None:
    """Wherever they stand, and nothing else is taken for them."""
    value = orjson.loads(orjson.dumps(value, default=lambda raw: f"\0{raw.hex()}"))
    value = _bytes_back(value)
    line = written(value)
    found = load_record(line, b"u", b"{}")
    assert (value, value) == (found["body"], found["attributes"]["v"])
    plain = load_line(line, b"u", b"{}")
    assert (as_text(value), as_text(value)) == (plain["body"], plain["attributes"]["v"])


def _bytes_back(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("\0"):
        try:
            return bytes.fromhex(value[1:])
        except ValueError:
            return value
    if isinstance(value, dict):
        return {key: _bytes_back(member) for key, member in value.items()}
    return [_bytes_back(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", LOOKALIKES)
@pytest.mark.parametrize("beside", [b"\x00\xff", "text"])
def test_texts_that_look_so_stay_texts(text: str, beside: Any) -> None:
    """As a value, as a key, in a list, beside bytes and without any."""
    value = {"k": text, text: "v", "list": [text, text, beside], "z": beside}
    assert value == load_record(written(value), b"u", b"{}")["body"]


def test_lines_of_others_stay_as_they_are() -> None:
    """What no encoder of ours has written, with spaces of its own, is at worst text."""
    line = {"a": ["x", "abc"], "b": "abcde", "c": {"d": "="}}
    assert line == load_object(orjson.dumps(line, option=orjson.OPT_INDENT_2))
    assert {"a": "abcde"} == load_object(b'{"a": "abcde"}')


def test_a_record_with_bytes(logged: Logged) -> None:
    """The caller's attributes, nested ones, and a structured body keep base64 in the line."""
    line = logged({"raw": b"\x00"}, extra={"raw": b"\x00\xff", "deep": {"l": [bytearray(b"ab"), "c"]}})
    assert {"raw": "AA=="} == line["body"]
    assert ("AP8=", {"l": ["YWI=", "c"]}) == (line["attributes"]["raw"], line["attributes"]["deep"])


def test_a_resource_and_static_attributes() -> None:
    """Both may hold bytes; a line of OTLP has them as such."""
    resource = Resource.of({"raw": b"\x00\xff"})
    assert {"raw": "AP8="} == resource.attributes
    assert {"raw": b"\x00\xff"} == load_object(resource.json)
    formatter = OTelFormatter(format="otlp", static_attributes={"raw": b"\x00\xff"}, resource={"key": b"k"})
    record = logging.makeLogRecord({"msg": "x", "own": [b"a", "b"]})
    (found,) = orjson.loads(formatter.format(record))["resourceLogs"]
    attributes = {a["key"]: a["value"] for a in found["scopeLogs"][0]["logRecords"][0]["attributes"]}
    assert {"bytesValue": "AP8="} == attributes["raw"]
    assert {"arrayValue": {"values": [{"bytesValue": "YQ=="}, {"stringValue": "b"}]}} == attributes["own"]
    assert {"key": "key", "value": {"bytesValue": "aw=="}} in found["resource"]["attributes"]
