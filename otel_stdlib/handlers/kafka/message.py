"""Frames as messages, put together from the spool's bytes.

value      the record's whole line, as a JSONL file has it
key        the trace id, so that a trace stays in order in one partition; without one, the uid
headers    ``log.record.uid``, ``severity_number``, ``content-type``
timestamp  the event's time; the present when it lies ahead, as brokers refuse the future
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from otel_stdlib._native import core
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.facts.clock import wall_ns
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.handlers.kafka.naming import TopicPattern
from otel_stdlib.spool.frame import Frame

__all__ = ["CONTENT_TYPE", "SEVERITY_HEADER", "UID_HEADER", "Message", "lsn_digits", "messages", "trace_key"]

UID_HEADER = "log.record.uid"
SEVERITY_HEADER = "severity_number"
CONTENT_TYPE = ("content-type", b"application/json")
_SEVERITIES = [(SEVERITY_HEADER, str(number).encode()) for number in range(256)]
_TRACE = b',"trace_id":"'
_SCOPE = b',"scope":{'
_BODY = b'"body":'
_UID = b'"log.record.uid":"'
#: An LSN is seven bytes in a uid.
_LSN_BYTES = 7
#: C makes so many messages at once. Where lines are hardly ever ordinary, Python makes as many at most before C is
#: asked again.
_TURN = 256

#: LSN, topic, value, key, headers, milliseconds since 1970. A plain tuple: one is made for every record.
Message = tuple[int, str, bytes, bytes, list[tuple[str, bytes]], int]


def trace_key(payload: bytes) -> bytes | None:
    """The trace id in an open line."""
    # Inside a JSON string a quote has a backslash before it: what is found is a member's name, and before
    # "scope" it is the record's own, unless the body is a structure.
    at = payload.find(_TRACE)
    if at < 0:
        return None
    body = payload.find(_BODY) + len(_BODY)
    if payload[body : body + 1] in b"{[":
        try:
            found = orjson.loads(payload.rstrip(b",") + b"}}").get("trace_id")
        except ValueError:
            return None
        return found.encode() if isinstance(found, str) else None
    if at > payload.find(_SCOPE):
        return None
    start = at + len(_TRACE)
    return payload[start : start + 32]


def _value_end(origin: Origin) -> bytes:
    return b'"},"resource":%b}' % origin.resource


def lsn_digits(origin: Origin) -> slice:
    """Where the values of an origin's messages have their LSN, in hexadecimal digits."""
    end = len(_value_end(origin))
    return slice(-end - 2 * _LSN_BYTES, -end)


def messages(frames: Sequence[Frame], origin: Origin, naming: TopicPattern) -> Iterator[Message]:
    """A message for each frame.

    Raises:
        PermanentError: a frame holds no record, and its topic depends on one.
    """
    fixed = naming.fixed
    if core is not None and fixed is not None and type(frames) is core.Frames:
        return _compiled(frames, origin, naming, wall_ns())
    return _pure(frames, origin, naming, wall_ns())


def _compiled(frames: Sequence[Frame], origin: Origin, naming: TopicPattern, now: int) -> Iterator[Message]:
    """The same in C, but for lines that are not ordinary."""
    topic = naming.fixed
    spool, end = b"%b-" % origin.spool_id.encode("ascii"), _value_end(origin)
    first, count, patience = 0, len(frames), 1
    while first < count:
        begin = first
        made, first = core.messages(
            frames, first, _TURN, topic, spool, end, UID_HEADER, _SEVERITIES, CONTENT_TYPE, now
        )
        yield from made
        if len(made) < _TURN and first < count:
            patience = 1 if first > begin else min(2 * patience, _TURN)
            yield from _pure(frames[first : first + patience], origin, naming, now)
            first += patience


def _pure(frames: Sequence[Frame], origin: Origin, naming: TopicPattern, now: int) -> Iterator[Message]:
    fixed = naming.fixed
    resource: dict[str, Any] = {} if fixed is not None else orjson.loads(origin.resource)
    spool = b"%b-" % origin.spool_id.encode("ascii")
    end = _value_end(origin)
    join = b"".join
    for frame in frames:
        lsn, time_ns, _, severity, payload = frame
        uid = spool + hexlify(lsn.to_bytes(_LSN_BYTES, "big"))
        yield (
            lsn,
            fixed or _topic(naming, frame, resource),
            join((payload, _UID, uid, end)),
            (trace_key(payload) or uid) if _TRACE in payload else uid,
            [(UID_HEADER, uid), _SEVERITIES[severity], CONTENT_TYPE],
            (time_ns if time_ns < now else now) // 1_000_000,
        )


def _topic(naming: TopicPattern, frame: Frame, resource: dict[str, Any]) -> str:
    try:
        return naming.name(frame, resource)
    except ValueError as error:
        raise PermanentError(f"a record cannot be read for its topic: {error}") from error
