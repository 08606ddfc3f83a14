"""Tables of lines, most of them nearly ordinary, for the comparison of what both flavours make of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from otel_stdlib._native import core
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.spool.frame import Frame
from tests._native.cases import make_frame
from tests._native.records import make_context, make_record

__all__ = ["make_table", "outcome_of"]

_ENCODERS = (
    LineEncoder(),
    LineEncoder(limits={"attribute_count": 3, "value_length": 50, "body_length": 40}),
)
#: What is put into lines, or in a byte's place.
_ODD = (
    *(
        b'"',
        b"\\",
        b",",
        b"{",
        b"}",
        b":",
        b" ",
        b"\n",
        b"\t",
        b"\x00",
        b"u",
        b"0",
        b"-",
        b"-0",
        b".",
        b"1e5",
        b"Z",
    ),
    *(
        b"\\u0041",
        b"\\u0000",
        b"\\ud800",
        b"\\n",
        b'\\"',
        b"\\x",
        b"\x80",
        b"\xff",
        b"\xc3\xa9",
        b"\xed\xa0\x80",
    ),
    *(
        b"\xf4\x90\x80\x80",
        b"\xc0\x80",
        b"\xe2\x98\x83",
        b'"a":1,',
        b'"a":1,"a":"b",',
        b'"":"",',
        b'"n1":{},',
    ),
    *(
        b'"n1": "AP8=",',
        b',"trace_id":"',
        b',"scope":{',
        b'"body":',
        b'"code.x":1,',
        b'"log.a":null,',
        b'"x":[1],',
    ),
    *(
        b'"f":0.1,',
        b'"f":-1.50,',
        b'"f":1.,',
        b'"f":.5,',
        b'"f":12345678901234567890.5,',
        b'"i":1234567890123456789,',
    ),
    *(
        b'"i":-9223372036854775808,',
        b'"i":9223372036854775808,',
        b'"i":007,',
        b'"b":true,',
        b'"b":false,',
        b'"b":nul,',
    ),
)


def _spoiled(line: bytes, chance: random.Random) -> bytes:
    at = chance.choice((chance.randrange(len(line) + 1), len(line)))
    how = chance.randrange(4)
    if how == 0:
        return line[:at] + chance.choice(_ODD) + line[at + 1 :]
    if how == 1:
        return line[:at] + line[at + chance.choice((1, 2, 16, 400)) :]
    if how == 2:
        start = chance.randrange(len(line) + 1)
        return line[:at] + line[start : start + chance.choice((1, 8, 40))] + line[at:]
    return line[:at] + chance.choice(_ODD) + line[at:]


def _make_line(chance: random.Random) -> tuple[bytes, int, int, int]:
    """An open line, its time, level and severity."""
    if chance.random() < 0.3:
        make_context(chance)
    record = make_record(chance)
    found = chance.choice(_ENCODERS).encode(record)
    line, severity, time_ns = found or (b"", 0, 0)
    for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 1, 2))):
        line = _spoiled(line, chance)
    if chance.random() < 0.05:
        time_ns = chance.choice((0, -1, 1, -(1 << 63), (1 << 63) - 1, 1 << 62))
    return line, min(time_ns, (1 << 63) - 1), chance.choice((10, 20, 50)), severity & 255


def make_table(chance: random.Random, most: int = 12) -> tuple[Any, list[Frame]]:
    """A table of the compiled walk, perhaps a part of one, and the same as a list."""
    lines = [_make_line(chance) for _ in range(chance.randrange(1, most))]
    # Of one place several times, as they are in a spool.
    lines += [chance.choice(lines) for _ in range(chance.choice((0, 0, 5, 40)))]
    chance.shuffle(lines)
    data = b"".join(make_frame(line, 3, time_ns, level, severity) for line, time_ns, level, severity in lines)
    base = chance.choice((0, 4096, (7 << 32) + 4096, (1 << 56) - 100, (1 << 62) + 5))
    table = core.walk(data, 0, base, 3, len(lines), len(data))[0]
    assert len(table) == len(lines)
    table = table[chance.choice((0, 0, 1)) :]
    return table, [*table]


def outcome_of(make: Any, *given: Sequence[Any]) -> Any:
    """What a function gives or raises."""
    try:
        return make(*given)
    except (ValueError, OverflowError) as error:
        return type(error), str(error)
