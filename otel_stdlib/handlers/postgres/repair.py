"""A record as PostgreSQL can store it: the careful path, for what is not written as usual.

PostgreSQL refuses U+0000 in text and in jsonb, lone surrogates, and numbers that are none; a
seed-shaped table has short VARCHAR columns. What does not fit is repaired, and the record says
so in the attribute ``otel_stdlib.repaired``: a list of what was done.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from otel_stdlib.record.line import close_line

__all__ = ["REPAIRED", "Record", "clean", "dump_json", "fit", "read_record"]

#: The attribute that names what was repaired.
REPAIRED = "otel_stdlib.repaired"
_REPLACEMENT = "\ufffd"
_BAD = re.compile("[\x00\ud800-\udfff]")
#: Members of a record that have a column; whatever else it has goes into ``attributes``.
_PLACED = frozenset(
    ("timestamp", "severity_text", "severity_number", "body", "trace_id", "span_id", "attributes", "resource")
)
#: Members without a column of their own: their names as attributes.
_MOVED = {"event_name": "event.name"}


class Record(NamedTuple):
    """A record taken apart. ``marks`` names what was repaired so far."""

    fields: dict[str, Any]
    attributes: dict[str, Any]
    marks: set[str]


def read_record(payload: bytes, uid: bytes) -> Record:
    """The record of an open line, repaired, with everything that has no column moved to its attributes.

    Raises:
        ValueError: it is no JSON object, whatever is done to it.
    """
    marks: set[str] = set()
    fields = _parse(close_line(payload, uid, b"{}"), marks)
    attributes = fields.get("attributes")
    if not isinstance(attributes, dict):
        attributes = {} if attributes is None else {"attributes": attributes}
    moved = _scope(fields.get("scope"))
    for name, value in fields.items():
        if name not in _PLACED and name != "scope":
            moved[_MOVED.get(name, name)] = value
    # Attributes that the caller gave win over derived ones.
    return Record(fields, {**moved, **attributes}, marks)


def _scope(scope: object) -> dict[str, Any]:
    if not isinstance(scope, Mapping):
        return {}
    return {f"otel.scope.{name}": value for name, value in scope.items()}


def _parse(line: bytes, marks: set[str]) -> dict[str, Any]:
    try:
        parsed = orjson.loads(line)
        suspicious = b"\\u0000" in line
    except ValueError:
        parsed = _parse_anyhow(line, marks)
        suspicious = True
    if not isinstance(parsed, dict):
        raise ValueError("the record is no JSON object")
    if suspicious:
        parsed = clean(parsed, marks)
    result: dict[str, Any] = parsed
    return result


def _parse_anyhow(line: bytes, marks: set[str]) -> Any:
    text = line.decode("utf-8", "replace")
    if text.encode() != line:
        marks.add("encoding")
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("the record is nested too deeply") from None


def clean(value: Any, marks: set[str]) -> Any:
    """``value`` without U+0000, lone surrogates, NaN and infinities, in keys too."""
    if isinstance(value, str):
        return _clean_text(value, marks)
    if isinstance(value, float) and not math.isfinite(value):
        marks.add("number")
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {_clean_text(key, marks): clean(item, marks) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, marks) for item in value]
    return value


def _clean_text(text: str, marks: set[str]) -> str:
    if _BAD.search(text) is None:
        return text
    marks.add("nul" if "\0" in text else "surrogate")
    if "\0" in text and _BAD.search(text.replace("\0", "")):
        marks.add("surrogate")
    return _BAD.sub(_REPLACEMENT, text)


def fit(text: str, length: int | None, name: str, marks: set[str]) -> str:
    """``text`` cut to the ``length`` characters of the column ``name``; None: no limit."""
    if length is None or len(text) <= length:
        return text
    marks.add(f"truncated:{name}")
    return text[:length]


def dump_json(value: Any) -> bytes:
    """A JSON value in UTF-8; integers of any size."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
