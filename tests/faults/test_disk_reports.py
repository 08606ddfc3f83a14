"""A spool's disk that fails at run time: reported at once, told by ``health()``, used again when it works."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.disks import HELPERS, account
from tests.faults.harness import accepted, bodies, run, settle

pytestmark = pytest.mark.fault

#: Captures what is written to stderr, so that the program itself can wait for a line.
LISTEN = """
import io
class Heard(io.StringIO):
    def write(self, text):
        sys.__stderr__.write(text)
        return super().write(text)
sys.stderr = Heard()
def heard(text): return text in sys.stderr.getvalue()
def block():
    # Delivery fails as long as a file is where the output's folder should be.
    open(OUT, "w").close()
"""


@pytest.mark.parametrize("first", [True, False], ids=["from the start", "under way"])
def test_a_limit_is_reported_and_its_end(tmp_path: Path, first: bool) -> None:
    """Standard error and ``health()`` tell both; afterwards a kill loses nothing, though nothing was delivered."""
    done = run(
        tmp_path,
        HELPERS
        + LISTEN
        + """
block()
configure(segment_bytes=1 << 18, max_bytes=1 << 24)
if FIRST: say_later("before")
limit(4096)
for i in range(200): say_later(f"limited-{i} " + "x" * 400)
wait(lambda: heard("takes no more"))
health = queue_handler().health()
assert health["in_memory"] and health["memory_bytes"] and "large" in health["disk_error"], health
limit(resource.RLIM_INFINITY)
wait(lambda: heard("works again"))
health = queue_handler().health()
assert not health["in_memory"] and not health["memory_bytes"] and health["disk_error"] is None, health
assert health["dropped"] == {}, health
for i in range(20): say_later(f"free-{i}")
report()
os.kill(os.getpid(), signal.SIGKILL)
""".replace("FIRST", str(not first)),
        check=False,
    )
    assert done.returncode == -9, done.stderr
    assert done.stderr.count("takes no more") == 1, done.stderr
    (tmp_path / "out").unlink()
    settle(tmp_path)
    assert bodies(tmp_path) == accepted(tmp_path)
    assert set(bodies(tmp_path).values()) == {1}


def test_a_full_disk_takes_small_segments(tmp_path: Path, small_disk: Path) -> None:
    """Where a segment of 1 MiB does not fit, smaller ones do: a kill loses nothing, and nothing is reported."""
    done = run(
        tmp_path,
        HELPERS
        + """
open(OUT, "w").close()
configure(segment_bytes=1 << 20, max_bytes=1 << 24)
say("first")
ballast = fill(os.path.dirname(SPOOLS))
with open(ballast, "r+b") as file: file.truncate(os.path.getsize(ballast) - (800 << 10))
for i in range(1000): say(f"small-{i} " + "x" * 400)
health = queue_handler().health()
assert not health["in_memory"] and health["dropped"] == {}, health
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
        OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
    )
    assert done.returncode == -9, done.stderr
    assert "memory" not in done.stderr
    (tmp_path / "out").unlink()
    (small_disk / "ballast").unlink()
    settle(tmp_path, OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"))
    assert bodies(tmp_path) == accepted(tmp_path)


def test_a_backlog_in_memory_is_written_where_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    """Several MiB waited in memory while the disk was full; what fits is taken to it, and everything is accounted."""
    run(
        tmp_path,
        HELPERS
        + LISTEN
        + """
block()
configure(segment_bytes=1 << 20, max_bytes=1 << 24)
say("first")
ballast = fill(os.path.dirname(SPOOLS))
for i in range(3500): say(f"full-{i} " + "x" * 400)
wait(lambda: heard("takes no more"))
before = queue_handler().health()["memory_bytes"]
assert before > 1 << 20
with open(ballast, "r+b") as file: file.truncate(os.path.getsize(ballast) - (1 << 20))
wait(lambda: queue_handler().health()["memory_bytes"] <= before - (1 << 18))
os.unlink(ballast)
wait(lambda: heard("works again"))
os.unlink(OUT)
assert queue_handler().flush(60)
report()
""",
        OTEL_STDLIB_SPOOL_DIR=str(small_disk / "spools"),
    )
    assert account(tmp_path) == {}


def test_a_folder_that_cannot_be_used_is_a_reason_in_health(tmp_path: Path) -> None:
    """``disk_error`` says why records are in memory, also where there never was a disk."""
    run(
        tmp_path,
        HELPERS
        + """
os.mkdir(SPOOLS)
os.chmod(SPOOLS, 0o777)
configure()
say("r")
health = queue_handler().health()
assert health["in_memory"] and "open to others" in health["disk_error"], health
assert queue_handler().flush(60)
""",
    )
    assert bodies(tmp_path) == Counter({"r": 1})
