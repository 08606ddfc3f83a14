"""Disks that are full, limits, permissions that are lost, and other programs that move files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from otel_stdlib.facts.errors import RetryableError
from tests.handlers.jsonl.support import batch, destination, expected, run, uids

pytestmark = [pytest.mark.fault, pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")]


def test_a_file_size_limit(tmp_path: Path) -> None:
    """EFBIG takes the part that was written out again; with the limit lifted, the same batch is stored."""
    run(
        """
import resource
target = Path(sys.argv[1]) / "app.jsonl"
file = destination(target)
file.deliver(batch(0, 100))
size = target.stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, hard))
for _ in range(3):
    try:
        file.deliver(batch(100, 100))
        raise SystemExit("no error")
    except Exception as error:
        assert "File too large" in str(error), error
    assert target.stat().st_size == size
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
file.open()
file.deliver(batch(100, 100))
assert uids(target) == expected([batch(0, 200)])
""",
        tmp_path,
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    """ENOSPC leaves whole lines only; what did not fit is stored when there is room again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(120 << 10))
    target = small_disk / "app.jsonl"
    file = destination(target)
    stored = 0
    while small_disk.exists():
        try:
            file.deliver(batch(stored, 50))
        except RetryableError as error:
            full = str(error)
            break
        stored += 50
    assert "No space left" in full
    assert expected([batch(0, stored)]) == uids(target)
    with pytest.raises(RetryableError):
        file.deliver(batch(0, 1, 33, size=9000))  # not for another spool either
    ballast.unlink()
    file.deliver(batch(stored, 50))
    assert expected([batch(0, stored + 50)]) == uids(target)
    file.close()


def test_a_disk_full_at_each_step_of_the_beginning(small_disk: Path) -> None:
    """Folder, sidecar, target, entries: wherever the space ends, the same call works later."""
    ballast = small_disk / "ballast"
    for free in range(0, 28 << 10, 4 << 10):
        room = os.statvfs(small_disk)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - free))
        target = small_disk / f"{free}" / "app.jsonl"
        with suppress(RetryableError):
            file = destination(target)
            for number in range(3):
                file.deliver(batch(0, 40, number, size=200))
            file.close()
        os.truncate(ballast, 0)
        file = destination(target)
        for number in range(3):
            file.deliver(batch(0, 41, number, size=200))
        file.close()
        assert expected([batch(0, 41, number) for number in range(3)]) == uids(target)
        shutil.rmtree(target.parent)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user reaches, as those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-test-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def test_permission_lost_and_given_back(open_folder: Path) -> None:
    """An ordinary user's folder that turns read-only: retryable errors, then everything once."""
    run(
        """
import resource
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
folder = Path(sys.argv[1]) / "own"
target = folder / "app.jsonl"
file = destination(target, max_bytes=2000, backup_count=50)
file.deliver(batch(0, 5))
folder.chmod(0o500)                        # no new names: rotation has to wait, records do not
file.deliver(batch(5, 50))
assert file.counters.get("rotation_failed") > 0 and file.counters.get("rotated") == 0
folder.chmod(0)
for _ in range(2):
    try:
        file.deliver(batch(55, 5))
        raise SystemExit("no error")
    except Exception as error:
        assert "Permission denied" in str(error), error
folder.chmod(0o700)
target.chmod(0)
file.close()
file = JSONLDestination(JSONLOptions(target, max_bytes=2000, backup_count=50))
try:
    file.open()
    raise SystemExit("no error")
except Exception as error:
    assert "Permission denied" in str(error), error
target.chmod(0o600)
file.open()
file.deliver(batch(50, 60))
assert uids(target) == expected([batch(0, 110)])
assert file.counters.get("rotated") > 0
""",
        open_folder,
    )


def test_another_program_rotates(tmp_path: Path) -> None:
    """The file is moved away under way, compressed and deleted: no line is lost, torn or doubled."""
    target = tmp_path / "app.jsonl"
    one, two = destination(target), destination(target)
    seen = 0
    for number in range(30):
        (one, two)[number % 2].deliver(batch(number * 10, 10))
        if number % 3 == 2:
            os.rename(target, tmp_path / f"app.jsonl-{number}")
            seen += 1
    assert expected([batch(0, 300)]) == uids(target)
    assert one.counters.get("reopened") + two.counters.get("reopened") >= seen
    one.close()
    two.close()


def test_moved_between_a_kill_and_the_next_start(tmp_path: Path) -> None:
    """The open block is settled in the file it was written to, whatever that is called now."""
    target = tmp_path / "app.jsonl"
    run(
        """
import signal
file = destination(Path(sys.argv[1]))
file.deliver(batch(0, 10))
if os.fork() == 0:
    real = os.pwrite
    def pwrite(fd, data, place):
        # Killed after the lines and before the map.
        return real(fd, data, place) if data[:4] == b"OSS1" else os.kill(os.getpid(), signal.SIGKILL)
    os.pwrite = pwrite
    file.deliver(batch(10, 10))
os.wait()
""",
        target,
    )
    os.rename(target, tmp_path / "app.jsonl-old")
    file = destination(target)
    assert 1 == file.counters.get("blocks_settled")
    file.deliver(batch(0, 30))
    assert expected([batch(0, 30)]) == uids(target)
    assert 10 == len(target.read_bytes().splitlines())
    file.close()


def test_a_torn_block_that_others_wrote_behind(tmp_path: Path) -> None:
    """Bytes of a program that takes no lock stay, and so do our whole lines before them."""
    target = tmp_path / "app.jsonl"
    run(
        """
import signal
file = destination(Path(sys.argv[1]))
file.deliver(batch(0, 10))
if os.fork() == 0:
    real = os.write
    def write(fd, data):
        real(fd, data[:300])
        with open(sys.argv[1], "ab") as other:
            other.write(b"x" * 2000)
        os.kill(os.getpid(), signal.SIGKILL)
    os.write = write
    file.deliver(batch(10, 10))
os.wait()
""",
        target,
    )
    file = destination(target)
    assert 1 == file.counters.get("blocks_undone")
    file.deliver(batch(0, 20))
    # The torn piece of ours cannot be told from what was glued to it.
    whole = [line for line in target.read_bytes().splitlines() if not line.endswith(b"x" * 2000)]
    found = Counter(json.loads(line)["attributes"]["log.record.uid"] for line in whole)
    assert expected([batch(0, 20)]) == found
    assert len(whole) + 1 == len(target.read_bytes().splitlines())
    file.close()
