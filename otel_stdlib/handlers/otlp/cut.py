"""An ordinary line, cut where its parts are, mostly without parsing it. Pure.

    {"timestamp":"…","severity_text":"INFO","severity_number":9,"body":"text",      level; body
    "trace_id":"…",…                                                                head
    "scope":{"name":"…"},"attributes":{"code.…":…,"thread.…":…,                     place
    "customer":"c-1017",                                                            the caller's attributes

What a line must be for that is checked; any other is no ordinary one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["BODY", "LEVEL_AT", "START", "Cut", "cut", "is_place"]

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_HEAD_NAMES = rb"trace_id|span_id|trace_flags|event_name|otel\.dropped_attributes_count"
_PLACE = (
    rb'"scope":\{"name":'
    + _TEXT
    + rb'\},"attributes":\{(?:"(?:code|thread)\.[a-z.]+":(?:'
    + _TEXT
    + rb"|[0-9]+),)*"
)
_IS_PLACE = re.compile(_PLACE, re.DOTALL).fullmatch
#: Level; body; trace, event and count of dropped attributes; scope, and what is known of the place.
_LINE = re.compile(
    rb'\{"timestamp":"[^"\\]{27}",("severity_text":' + _TEXT + rb',"severity_number":[0-9]+),'
    rb'"body":"([^"\\]*(?:\\.[^"\\]*)*)",'
    rb'((?:"(?:' + _HEAD_NAMES + rb')":(?:' + _TEXT + rb"|[0-9]+),)*)(" + _PLACE + rb")",
    re.DOTALL,
)  # fmt: skip
START = b'{"timestamp":"'
#: Where the level stands: the time has 27 characters.
LEVEL_AT = len(START) + 27 + 2
BODY = b',"body":"'
_SCOPE, _LAST = b'"scope":{', b'"thread.name":"'


class Cut(NamedTuple):
    """The parts of a line, as they stand in it but for the quotes of the body and the commas beside them."""

    level: bytes
    body: bytes
    head: bytes
    place: bytes
    #: Where the caller's attributes begin, each with the comma behind it.
    last: int


def cut(payload: bytes) -> Cut | None:
    """The parts; what they look like, but for where they begin and end, is not checked yet."""
    if b"\\" not in payload:
        # No text has a quote in it: each of these is what it looks like. Searching is quicker than the expression.
        end = payload.find(BODY, LEVEL_AT)
        begin = end + len(BODY)
        stop = payload.find(b'"', begin)
        scope = payload.find(_SCOPE, stop)
        last = payload.find(_LAST, scope)
        rest = payload.find(b'",', last + len(_LAST)) + 2
        if 0 < end < stop < scope < last < rest and payload.startswith(START):
            return Cut(
                payload[LEVEL_AT:end],
                payload[begin:stop],
                payload[stop + 2 : scope],
                payload[scope:rest],
                rest,
            )
    found = _LINE.match(payload)
    return None if found is None else Cut(found[1], found[2], found[3], found[4], found.end())


def is_place(text: bytes) -> bool:
    """Whether it is a scope, and attributes of a place in the code and of a thread alone."""
    return _IS_PLACE(text) is not None
