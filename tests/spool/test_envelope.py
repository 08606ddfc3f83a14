"""Payloads with more than one line: what each destination gets."""

from __future__ import annotations

import zlib

import pytest

from otel_stdlib.delivery.accept import accepted
from otel_stdlib.spool.envelope import Line, Picked, pick, seal
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.manifest import Manifest
from tests.spool.helpers import TARGET


def frame(payload: bytes) -> Frame:
    """A frame as it is read from a segment."""
    return Frame(4_096, 1, 20, 9, payload)


@pytest.mark.parametrize("targets", [1, 3, 8, 9, 20])
def test_each_target_gets_its_line(targets: int) -> None:
    """Even ones get one line, odd ones another, the last one nothing."""
    even = sum(1 << number for number in range(0, targets - 1, 2))
    odd = sum(1 << number for number in range(1, targets - 1, 2))
    lines = [Line(odd, b'{"b', 13, 2, 30), Line(even, b'{"a', 9, 3, -5, b'["t",[1]]')]
    sealed = frame(seal(lines, targets))
    for number in range(targets - 1):
        expected = (4_096, 2, 30, 13, b'{"b') if number % 2 else (4_096, 3, -5, 9, b'{"a')
        found = pick(sealed, number)
        assert Picked is type(found)
        assert expected == found
    assert None is pick(sealed, targets - 1)
    unknown = pick(sealed, None)
    assert unknown is not None
    assert b'{"b' == unknown.payload


def test_a_plain_line_is_for_everyone() -> None:
    """It is given as it is, and its level still counts."""
    plain = frame(b'{"body":1')
    assert pick(plain, 5) is plain
    picked = pick(frame(seal([Line(1, b"{", 9, 1, 20)], 1)), 0)
    assert picked is not None
    assert [picked] == accepted([plain, picked], lambda _: False)
    assert [plain, picked] == accepted([plain, picked], None)


def test_a_template_is_an_attribute_for_whoever_reads_it() -> None:
    """The line without masks is for every destination, with the template for some."""
    sealed = frame(seal([Line(0, b'{"attributes":{', 9, 1, 20, b'["%s",["x"]]')], 0))
    plain, more = pick(sealed, 3), pick(sealed, 3, template=True)
    assert plain is not None
    assert more is not None
    assert (Frame, b'{"attributes":{') == (type(plain), plain.payload)
    assert b'{"attributes":{"otel_stdlib.template":["%s",["x"]],' == more.payload


def test_a_manifest_of_version_1_is_still_read() -> None:
    """What an earlier version left is delivered."""
    made = Manifest("0" * 26, 1, 2, b"{}", (TARGET,)).dump()
    body = made.split(b" ", 1)[1].replace(b'"version":2', b'"version":1')
    assert body != made.split(b" ", 1)[1]
    old = Manifest.parse(b"%08x %b" % (zlib.crc32(body), body))
    assert old == Manifest.parse(made)
    assert old is not None
