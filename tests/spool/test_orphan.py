"""Orphans: found, locked, read, finished; never stolen from the living."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.directory import NEWBORN_PREFIX, SpoolDirectory
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.spool.manifest import Target
from otel_stdlib.spool.orphan import Orphan, Scanner
from tests.spool.helpers import TARGET, make_spool, manifest_for, payload_numbers, put, root_at

WRITER = """
import os, sys
from pathlib import Path
from tests.spool.helpers import *
spool = make_spool(root_at(Path(sys.argv[1])))
put(spool, 3000)
print(spool.spool_id, flush=True)
sys.stdin.read(1)
"""


def orphans(path: Path) -> list[Orphan]:
    """What a scan finds now."""
    return list(Scanner(root_at(path), lambda: ()).scan(0.0))


def test_the_living_are_left_alone_and_the_dead_adopted(tmp_path: Path) -> None:
    """While its process lives a spool is nobody's; after SIGKILL all its records are there."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    spool_id = process.stdout.readline().strip()
    assert orphans(tmp_path) == []
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    [orphan] = orphans(tmp_path)
    assert orphan.spool_id == spool_id
    assert orphan.targets == (TARGET,)
    assert payload_numbers(orphan.new_store(), orphan.seed) == list(range(3000))


def test_one_adopter_at_a_time(tmp_path: Path) -> None:
    """A second scan does not get what a first one holds; after release it does."""
    spool = make_spool(root_at(tmp_path))
    put(spool, 3)
    spool.directory.release()  # type: ignore[union-attr]
    [orphan] = orphans(tmp_path)
    assert orphans(tmp_path) == []
    orphan.release()
    assert [o.spool_id for o in orphans(tmp_path)] == [spool.spool_id]


def test_cursor_is_kept_between_adopters(tmp_path: Path) -> None:
    """A second adopter goes on where the first one saved."""
    spool = make_spool(root_at(tmp_path))
    lsns = put(spool, 100)
    spool.directory.release()  # type: ignore[union-attr]
    [orphan] = orphans(tmp_path)
    cursor = orphan.cursor(TARGET.hash)
    assert cursor.value == 0
    cursor.save(lsns[60])
    orphan.release()
    [orphan] = orphans(tmp_path)
    start = orphan.cursor(TARGET.hash).value
    assert payload_numbers(orphan.new_store(), orphan.seed, start) == list(range(60, 100))
    assert not orphan.is_settled(TARGET.hash)
    orphan.cursor(TARGET.hash).save(lsns[99] + 125)
    assert orphan.is_settled(TARGET.hash)
    orphan.remove()
    assert os.listdir(tmp_path / "spools") == []


def test_a_damaged_manifest_is_read_from_a_segment(tmp_path: Path) -> None:
    """``manifest.json`` may be lost, damaged or another's: each segment has a copy."""
    spool = make_spool(root_at(tmp_path))
    put(spool, 10)
    path = tmp_path / "spools" / spool.spool_id / "manifest.json"
    spool.directory.release()  # type: ignore[union-attr]
    other = manifest_for(new_spool_id(), Target(Identity("x", "y"), "z")).dump()
    for content in (b"", b"not one", other, path.read_bytes()[:-3]):
        path.write_bytes(content)
        [orphan] = orphans(tmp_path)
        assert orphan.targets == (TARGET,)
        orphan.release()
    path.unlink()
    [orphan] = orphans(tmp_path)
    assert orphan.targets == (TARGET,)


def test_without_any_manifest_the_frames_are_still_there(tmp_path: Path) -> None:
    """A damaged segment header hides neither its frames nor those of other segments."""
    spool = make_spool(root_at(tmp_path))
    put(spool, 1500)
    folder = tmp_path / "spools" / spool.spool_id
    spool.directory.release()  # type: ignore[union-attr]
    (folder / "manifest.json").unlink()
    for segment in folder.glob("*.seg"):
        with open(segment, "r+b") as file:
            file.write(os.urandom(64))
    [orphan] = orphans(tmp_path)
    assert orphan.manifest is None
    assert orphan.targets == ()
    assert payload_numbers(orphan.new_store(), orphan.seed) == list(range(1500))


def test_a_deletion_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    """The lock goes last: a folder that has nothing else was being deleted when its process ended."""
    spool = make_spool(root_at(tmp_path))
    put(spool, 3)
    folder = tmp_path / "spools" / spool.spool_id
    spool.directory.release()  # type: ignore[union-attr]
    for path in folder.iterdir():
        if path.name != "lock":
            path.unlink()
    [orphan] = orphans(tmp_path)
    assert orphan.is_finished()
    orphan.remove()
    assert not folder.exists()


def test_an_unreadable_segment_is_skipped(tmp_path: Path) -> None:
    """A segment that is gone or cut short costs its own records only."""
    spool = make_spool(root_at(tmp_path))
    lsns = put(spool, 2500)
    folder = tmp_path / "spools" / spool.spool_id
    spool.directory.release()  # type: ignore[union-attr]
    numbers = sorted(spool.segments)
    (folder / f"{numbers[1]:08x}.seg").unlink()
    expected = [n for n, lsn in enumerate(lsns) if lsn >> 32 != numbers[1]]
    [orphan] = orphans(tmp_path)
    assert payload_numbers(orphan.new_store(), orphan.seed) == expected


def test_newborns_are_left_alone_until_they_are_old_and_unlocked(tmp_path: Path) -> None:
    """A directory in the making is nobody's; one whose maker died is removed."""
    root = root_at(tmp_path)
    name = NEWBORN_PREFIX + new_spool_id()
    folder = tmp_path / "spools" / name
    folder.mkdir(mode=0o700)
    assert orphans(tmp_path) == []
    assert folder.exists()
    old = time.time() - 3600
    os.utime(folder, (old, old))
    assert orphans(tmp_path) == []
    assert not folder.exists()
    assert root.fd >= 0


def test_a_kill_inside_remove_leaves_nothing_for_ever(tmp_path: Path) -> None:
    """The lock goes last: an empty directory without one is swept."""
    folder = tmp_path / "spools" / new_spool_id()
    root_at(tmp_path)
    folder.mkdir(mode=0o700)
    assert orphans(tmp_path) == []
    assert not folder.exists()


def test_a_stranger_s_directory_is_refused(tmp_path: Path) -> None:
    """A directory open to others, or a link, is not adopted."""
    spool = make_spool(root_at(tmp_path))
    spool.directory.release()  # type: ignore[union-attr]
    folder = tmp_path / "spools" / spool.spool_id
    folder.chmod(0o755)
    assert orphans(tmp_path) == []
    folder.chmod(0o700)
    moved = tmp_path / "moved"
    folder.rename(moved)
    folder.symlink_to(moved)
    assert orphans(tmp_path) == []


def test_skipped_spools_are_not_looked_at(tmp_path: Path) -> None:
    """What has no work here is left alone for its time."""
    spool = make_spool(root_at(tmp_path))
    spool.directory.release()  # type: ignore[union-attr]
    scanner = Scanner(root_at(tmp_path), lambda: ())
    scanner.skip(spool.spool_id, 10.0)
    assert list(scanner.scan(9.0)) == []
    assert [o.spool_id for o in scanner.scan(10.0)] == [spool.spool_id]


def test_the_lock_of_a_retired_directory_is_no_lock(tmp_path: Path) -> None:
    """Whoever opened the lock file of a directory that is deleted meanwhile does not adopt it."""
    root = root_at(tmp_path)
    spool_id = new_spool_id()
    directory = SpoolDirectory.create(root, spool_id, manifest_for(spool_id).dump())
    fd = directory.fd
    directory.remove()
    with pytest.raises(OSError, match="No such file"):
        SpoolDirectory.adopt(root, spool_id)
    assert fd >= 0
