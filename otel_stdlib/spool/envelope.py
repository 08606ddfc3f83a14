"""A payload with more than one line: what each destination of a spool gets of one record.

    size  field
    1     FF: no line begins with it
    1     m, bytes of a mask; 0: one line for every destination, if its level lets it through
    2     n, lines
    then for each line
    m     mask, little endian: bit i is target i of the manifest
    8     event time, nanoseconds since 1970 UTC
    4     length of the line
    4     length of its template
    2     level, clamped to 16 bits
    1     severity number
    then for each line: the line, its template

All integers are little endian. A target in no mask gets nothing of the record: a filter dropped
it, or its level did. The template is the record's message before its arguments were put in, and
those arguments, as JSON: ``["%s is %d",["x",1]]``; it is empty where no destination reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from otel_stdlib.spool.frame import Frame

__all__ = ["ENVELOPE", "TEMPLATE", "Line", "Picked", "clamp_level", "pick", "seal"]

_HEAD = struct.Struct("<BBH")
_LINE = struct.Struct("<qIIhB")
#: What an envelope begins with, and no line does.
ENVELOPE = b"\xff"
#: The attribute under which a destination that reads templates gets one.
TEMPLATE = "otel_stdlib.template"
_AS_ATTRIBUTE = b'%b"' + TEMPLATE.encode("ascii") + b'":%b,'
_new = tuple.__new__


class Line(NamedTuple):
    """What some destinations get of a record."""

    #: Bit i is set for target i; not looked at in an envelope without masks.
    mask: int
    #: The open line.
    payload: bytes
    severity: int
    time_ns: int
    level: int = 0
    template: bytes = b""


class Picked(Frame):
    """A frame that was meant for its destination when it was logged: level and filters counted there."""

    __slots__ = ()


def clamp_level(level: int) -> int:
    """``level`` as 16 bits can hold it."""
    return max(-0x8000, min(level, 0x7FFF))


def seal(lines: Sequence[Line], targets: int) -> bytes:
    """The envelope's bytes; ``targets`` is the number of the manifest's, 0 for a line without a mask."""
    width = (targets + 7) // 8
    parts = [_HEAD.pack(ENVELOPE[0], width, len(lines))]
    for line in lines:
        if width:
            parts.append(line.mask.to_bytes(width, "little"))
        parts.append(
            _LINE.pack(line.time_ns, len(line.payload), len(line.template), line.level, line.severity)
        )
    for line in lines:
        parts += (line.payload, line.template)
    return b"".join(parts)


def pick(frame: Frame, target: int | None, template: bool = False) -> Frame | None:
    """What target number ``target`` gets of a frame; None: nothing.

    Without a number, for a destination that is not in the manifest, it is the first line: one that a
    filter has changed, if there is one. With ``template`` the line has its template as an attribute.
    """
    payload = frame.payload
    if payload[:1] != ENVELOPE:
        return frame
    _, width, count = _HEAD.unpack_from(payload)
    place = _HEAD.size
    body = place + count * (width + _LINE.size)
    wanted = None if target is None or not width else 1 << target
    for _ in range(count):
        mask = int.from_bytes(payload[place : place + width], "little")
        time_ns, length, extra, level, severity = _LINE.unpack_from(payload, place + width)
        place += width + _LINE.size
        if wanted is None or mask & wanted:
            line = payload[body : body + length]
            if template and extra:
                line = _AS_ATTRIBUTE % (line, payload[body + length : body + length + extra])
            kind = Picked if width else Frame
            return _new(kind, (frame.lsn, time_ns, level, severity, line))
        body += length + extra
    return None
