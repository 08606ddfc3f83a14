from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from otel_stdlib.handlers.jsonl import scan
from otel_stdlib.record.line import close_line
from tests.handlers.jsonl.support import RESOURCE, batch, spool_id


def line(number: int, count: int, size: int = 20) -> bytes:
    """The last of ``count`` lines of a spool."""
    sent = batch(count - 1, 1, number, size)
    return close_line(sent.frames[0].payload, sent.uid(sent.frames[0]).encode(), RESOURCE) + b"\n"


def after(count: int) -> int:
    """One above the sequence number of the last of ``count`` records."""
    return batch(count - 1, 1).start + 1


@pytest.mark.parametrize("shift", range(0, 200, 7))
@pytest.mark.parametrize("packed", [False, True])
def test_a_uid_between_two_pieces_is_found(tmp_path: Path, shift: int, packed: bool) -> None:
    """Wherever the end of a piece cuts a line."""
    text = b" " * (scan._PIECE - shift) + line(1, 7) + b" " * scan._PIECE
    path = tmp_path / ("a.jsonl.1.gz" if packed else "a.jsonl")
    path.write_bytes(gzip.compress(text, 1) if packed else text)
    assert {spool_id(1): after(7)} == scan.find_stored([str(path)], 1 << 30)


def test_the_highest_counts(tmp_path: Path) -> None:
    """Over all files and lines, for each spool."""
    for name, counts in (("a", (3, 4)), ("b", (1, 2))):
        (tmp_path / name).write_bytes(line(0, counts[0]) + line(0, counts[1]) + line(1, counts[0]))
    paths = [str(tmp_path / name) for name in ("a", "gone", "b")]
    assert {spool_id(0): after(4), spool_id(1): after(3)} == scan.find_stored(paths, 1 << 30)


def test_the_budget_is_spent_on_the_youngest(tmp_path: Path) -> None:
    """The end of the first file, and no other file, where more does not fit."""
    path = tmp_path / "a"
    path.write_bytes(line(0, 9) + b" " * 1_000_000 + line(1, 5))
    other = tmp_path / "b"
    other.write_bytes(line(2, 5))
    assert {spool_id(1): after(5)} == scan.find_stored([str(path), str(other)], 1000)


def test_text_of_records_is_no_uid() -> None:
    """A uid that somebody logged as text or under another key says nothing about its spool."""
    uid = b"01JSKNTEST0000000000000000-00000100000300"
    for text in (
        b'{"body":"\\"log.record.uid\\":\\"' + uid + b'\\""}',
        b'{"attributes":{"failed.uid":"' + uid + b'"}}',
        b'{"body":"' + uid + b'"}',
    ):
        found: dict[str, int] = {}
        scan.merge_stored(found, text)
        assert {} == found


def test_the_uid_of_an_otlp_line() -> None:
    """Its attributes are objects of key and value."""
    found: dict[str, int] = {}
    uid = b"01JSKNTEST0000000000000000-00000100000300"
    scan.merge_stored(found, b'{"key":"log.record.uid","value":{"stringValue":"' + uid + b'"}}')
    assert {spool_id(0): 0x00000100000301} == found


def test_a_damaged_archive_gives_what_it_can(tmp_path: Path) -> None:
    """A rotated file that cannot be read to its end is no error."""
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(line(0, 3))[:-20] + b"\xff" * 40)
    assert scan.find_stored([str(path)], 1 << 30).keys() <= {spool_id(0)}
    path.write_bytes(b"no gzip")
    assert {} == scan.find_stored([str(path)], 1 << 30)


def test_the_crc_of_a_stretch(tmp_path: Path) -> None:
    """Over several pieces; short when the file is."""
    data = bytes(range(256)) * 3000
    path = tmp_path / "a"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert zlib.crc32(data[100:-100]) == scan.crc_of(file.fileno(), 100, len(data) - 200)
        assert zlib.crc32(data[100:]) == scan.crc_of(file.fileno(), 100, len(data))
