"""Disks that fill up, refuse or vanish, under the spool and under the output: nothing lost that is not counted."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.disks import HELPERS, account
from tests.faults.harness import accepted, bodies, run, settle

pytestmark = pytest.mark.fault


class TestSpool:
    def test_a_disk_that_fills_up_under_the_spool(self, tmp_path: Path, small_disk: Path) -> None:
        """Segments that cannot be prepared are replaced by memory; the disk is used again when it can be."""
        run(
            tmp_path,
            HELPERS
            + """
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
say("first")
ballast = fill(os.path.dirname(SPOOLS))
for i in range(4000): say(f"full-{i} " + "x" * 400)
assert queue_handler().health()["disk_error"], queue_handler().health()
assert queue_handler().flush(60)
os.unlink(ballast)
log_until_the_disk_works()
assert queue_handler().flush(60)
report()
""",
            OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
        )
        account(tmp_path)

    def test_a_disk_that_is_full_from_the_start(self, tmp_path: Path, small_disk: Path) -> None:
        """Without room for the first segment the application logs through memory, and a line says so."""
        run(
            tmp_path,
            HELPERS
            + """
os.mkdir(SPOOLS, 0o700)
fill(os.path.dirname(SPOOLS))
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
for i in range(2000): say(f"full-{i} " + "x" * 400)
assert queue_handler().flush(60)
report()
""",
            OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
        )
        account(tmp_path)

    def test_what_memory_held_at_the_end_is_counted(self, tmp_path: Path, small_disk: Path) -> None:
        """The disk is full and nothing is delivered: what only memory has ends with the process, and is told."""
        done = run(
            tmp_path,
            HELPERS
            + """
open(OUT, "w").close()  # a file where the output's folder should be
configure(segment_bytes=1 << 18, max_bytes=1 << 25)
say("first")
ballast = fill(os.path.dirname(SPOOLS))
for i in range(4000): say(f"full-{i} " + "x" * 400)
handler = queue_handler()
assert handler.health()["memory_bytes"] > 0, handler.health()
assert handler.health()["dropped"] == {}, handler.health()
assert not handler.stop(0.5)
print(sum(handler.health()["dropped"]["memory"].values()))
os.unlink(ballast)
os.unlink(OUT)
""",
            OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
        )
        lost = int(done.stdout)
        assert f"{lost} records were only in memory when delivery ended, and are lost" in done.stderr
        settle(tmp_path, OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"))
        found = bodies(tmp_path)
        assert set(found.values()) == {1}
        assert accepted(tmp_path).total() == found.total() + lost

    def test_a_limit_on_the_size_of_files(self, tmp_path: Path) -> None:
        """``RLIMIT_FSIZE`` below the smallest segment: as a full disk; lifted, the disk is used again."""
        run(
            tmp_path,
            HELPERS
            + """
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
say("first")
assert queue_handler().flush(60)
limit(1 << 15)
for i in range(3000): say_later(f"limited-{i} " + "x" * 400)
assert queue_handler().health()["disk_error"], queue_handler().health()
limit(resource.RLIM_INFINITY)
for i in range(3000): say(f"free-{i} " + "x" * 400)
assert queue_handler().flush(60)
report()
""",
        )
        account(tmp_path)

    def test_the_spool_is_deleted_under_way(self, tmp_path: Path) -> None:
        """Somebody removes the folder: what is open serves on, memory takes over, the log calls go on."""
        run(
            tmp_path,
            HELPERS
            + """
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
for i in range(1000): say(f"before-{i} " + "x" * 400)
shutil.rmtree(SPOOLS, ignore_errors=True)
for i in range(4000): say(f"after-{i} " + "x" * 400)
assert queue_handler().flush(60)
report()
""",
        )
        account(tmp_path)

    def test_permission_is_lost_and_given_back(self, tmp_path: Path) -> None:
        """The spool's own folder becomes read-only: memory stands in until it is writable again."""
        run(
            tmp_path,
            HELPERS
            + """
forbid()
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
say("first")
own = os.path.join(SPOOLS, queue_handler().health()["spool_id"])
os.chmod(own, 0o500)
for i in range(3000): say(f"locked-{i} " + "x" * 400)
assert queue_handler().flush(60)
os.chmod(own, 0o700)
log_until_the_disk_works()
assert queue_handler().flush(60)
report()
""",
        )
        account(tmp_path)


SETUPS = {
    "a link": "os.mkdir(FOLDER + '/real', 0o700); os.symlink(FOLDER + '/real', SPOOLS)",
    "open bits": "os.mkdir(SPOOLS); os.chmod(SPOOLS, 0o777)",
    "open parent": "os.mkdir(SPOOLS, 0o700); os.chmod(FOLDER, 0o1777)",
    "a file": "open(SPOOLS, 'w').close()",
    "another owner": "os.mkdir(SPOOLS, 0o700); os.chown(SPOOLS, 65534, 65534)",
    "no home": "[os.environ.pop(n, None) for n in ('OTEL_STDLIB_SPOOL_DIR', 'XDG_STATE_HOME', 'HOME')]",
    "read-only": "forbid(); os.chmod(FOLDER, 0o500)",
    "a network file system": (
        "import otel_stdlib.spool.place as place; real = place.file_system_of; place.file_system_of = "
        "lambda path: real(path, f'1 0 0:1 / / rw - ext4 x rw\\n2 1 0:2 / {FOLDER} rw - nfs4 server:/x rw\\n')"
    ),
}


@pytest.mark.parametrize("hostile", sorted(SETUPS))
def test_a_place_that_cannot_be_trusted_means_memory(tmp_path: Path, hostile: str) -> None:
    """One line on stderr, records in memory, the application goes on and the output is complete."""
    if hostile == "another owner" and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    done = run(
        tmp_path,
        HELPERS
        + "os.mkdir(OUT, 0o777); os.chmod(OUT, 0o777)\n"
        + SETUPS[hostile]
        + """
before = sorted(os.listdir(SPOOLS)) if os.path.isdir(SPOOLS) and os.access(SPOOLS, os.R_OK) else None
configure()
for i in range(500): say(f"r-{i}")
assert queue_handler().health()["in_memory"] is True, queue_handler().health()
assert queue_handler().flush(60)
if before is not None:
    assert sorted(os.listdir(SPOOLS)) == before, "nothing is put into a folder that is not trusted"
""",
    )
    lines = [line for line in done.stderr.splitlines() if "memory only" in line]
    assert len(lines) == 1, done.stderr
    assert bodies(tmp_path) == Counter(f"r-{i}" for i in range(500))


def test_what_memory_held_is_gone_with_the_process_and_the_spool_is_not(tmp_path: Path) -> None:
    """After a limit and a kill, a successor delivers what reached the disk, whole, and nothing twice."""
    run(
        tmp_path,
        HELPERS
        + """
configure(segment_bytes=1 << 18, max_bytes=1 << 21)
for i in range(300): say(f"disk-{i}")
limit(1 << 10)
for i in range(2000): log.info("maybe-%d %s", i, "x" * 400)
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    settle(tmp_path)
    there = bodies(tmp_path)
    assert Counter() == accepted(tmp_path) - there
    assert max(there.values()) == 1
