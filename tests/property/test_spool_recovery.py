"""Whatever happens to a spool's files, recovery gives each whole record once and then ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_stdlib.spool.cursor import CursorFile
from otel_stdlib.spool.manifest import Manifest
from otel_stdlib.spool.orphan import Orphan, Scanner
from otel_stdlib.spool.reader import Reader
from otel_stdlib.spool.segment import Descriptor
from tests.spool.helpers import make_spool, manifest_for, put, root_at

_QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def dead_spool(path: Path, count: int, size: int) -> tuple[Path, list[int]]:
    """A spool that its process left: its folder, and the LSN of each record."""
    spool = make_spool(root_at(path))
    lsns = put(spool, count, size)
    assert spool.directory is not None
    spool.directory.release()
    return path / "spools" / spool.spool_id, lsns


def adopt(path: Path) -> Orphan:
    """The one orphan under ``path``."""
    [orphan] = Scanner(root_at(path), lambda: ()).scan(0.0)
    return orphan


def numbers(orphan: Orphan, piece: int) -> tuple[list[int], int]:
    """Every record's number and the damaged count, read in pieces; fails when reading does not end."""
    reader = Reader(orphan.new_store(), orphan.seed)
    found: list[int] = []
    damaged, start, head = 0, 0, orphan.new_store().head()
    for _ in range(100_000):
        if start >= head:
            return found, damaged
        frames, end, lost = reader.read(start, piece, 1 << 13)
        assert end > start
        found += [int(f.payload[:8]) for f in frames]
        damaged += lost
        start = end
    raise AssertionError("reading does not end")


@_QUIET
@given(data=st.data(), size=st.integers(8, 3000), piece=st.integers(1, 50))
def test_overwritten_bytes_cost_only_the_records_they_hit(data: st.DataObject, size: int, piece: int) -> None:
    """Random bytes anywhere in a segment: every record outside them is found once, in order."""
    path = Path(tempfile.mkdtemp())
    try:
        folder, lsns = dead_spool(path, 120, size)
        names = sorted(folder.glob("*.seg"))
        segment = data.draw(st.sampled_from(names))
        at = data.draw(st.integers(0, segment.stat().st_size - 1))
        junk = data.draw(st.binary(min_size=1, max_size=400))
        with open(segment, "r+b") as file:
            file.seek(at)
            before = file.read(len(junk))
            file.seek(at)
            file.write(junk[: len(before)])
        number = int(segment.stem, 16)
        first, last = (number << 32) + at, (number << 32) + at + len(before)
        hit = {n for n, lsn in enumerate(lsns) if lsn < last and lsn + 24 + size > first}
        found, damaged = numbers(adopt(path), piece)
        assert found == sorted(set(found))
        assert set(range(120)) - hit <= set(found) <= set(range(120))
        assert damaged <= len(hit) + 2
    finally:
        shutil.rmtree(path)


@_QUIET
@given(data=st.data(), size=st.integers(8, 3000))
def test_a_truncated_segment_keeps_what_is_before_the_cut(data: st.DataObject, size: int) -> None:
    """Cut anywhere, a segment gives its whole records; the other segments give all of theirs."""
    path = Path(tempfile.mkdtemp())
    try:
        folder, lsns = dead_spool(path, 120, size)
        segment = data.draw(st.sampled_from(sorted(folder.glob("*.seg"))))
        cut = data.draw(st.integers(0, segment.stat().st_size))
        with open(segment, "r+b") as file:
            file.truncate(cut)
        number = int(segment.stem, 16)
        expected = [
            n for n, lsn in enumerate(lsns) if lsn >> 32 != number or (lsn & 0xFFFFFFFF) + 24 + size <= cut
        ]
        assert numbers(adopt(path), 17)[0] == expected
    finally:
        shutil.rmtree(path)


@_QUIET
@given(garbage=st.binary(max_size=300))
def test_any_bytes_as_manifest_or_cursor_are_survived(garbage: bytes) -> None:
    """Arbitrary content of the small files never raises and never skips a record."""
    path = Path(tempfile.mkdtemp())
    try:
        folder, _ = dead_spool(path, 20, 50)
        (folder / "manifest.json").write_bytes(garbage)
        target = manifest_for(folder.name).targets[0]
        (folder / f"cursor-{target.hash}").write_bytes(garbage)
        orphan = adopt(path)
        assert orphan.cursor(target.hash).value == 0
        assert numbers(orphan, 7)[0] == list(range(20))
    finally:
        shutil.rmtree(path)


def test_every_flipped_byte_of_a_manifest_is_noticed() -> None:
    """No damaged manifest passes for a whole one."""
    good = manifest_for("01M891H8K4024506H6KDTPBNRN").dump()
    assert Manifest.parse(good) is not None
    for at in range(len(good)):
        for mask in (0x01, 0x20, 0x80):
            broken = bytearray(good)
            broken[at] ^= mask
            parsed = Manifest.parse(bytes(broken))
            # Upper and lower case of the check's hex digits are the same number.
            assert parsed is None or at < 8
    for cut in range(len(good)):
        assert Manifest.parse(good[:cut]) is None


def test_every_flipped_byte_and_truncation_of_a_cursor_gives_an_older_value(tmp_path: Path) -> None:
    """A damaged cursor never points beyond what was saved."""
    root = Descriptor(__import__("os").open(tmp_path, 0))
    cursor = CursorFile(root.fd, "cursor-x")
    for value in (100, 200, 300):
        cursor.save(value)
    good = (tmp_path / "cursor-x").read_bytes()
    for at in range(len(good)):
        for mask in (0x01, 0x80, 0xFF):
            broken = bytearray(good)
            broken[at] ^= mask
            (tmp_path / "cursor-x").write_bytes(broken)
            assert CursorFile(root.fd, "cursor-x").value in (200, 300)
    for cut in range(len(good)):
        (tmp_path / "cursor-x").write_bytes(good[:cut])
        assert CursorFile(root.fd, "cursor-x").value in (0, 200, 300)
