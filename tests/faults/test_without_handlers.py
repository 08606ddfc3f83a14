"""A queue handler without handlers: its records are kept, reported, and can be sent by hand."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.harness import accepted, bodies, environment, run, settle, spools

pytestmark = pytest.mark.fault

#: What each program does first: the queue handler of the harness, with nothing behind it.
WITHOUT = """
changed = config()
del changed["handlers"]["queue"]["handlers"]
logging.config.dictConfig(changed)
handler = queue_handler()
for i in range(1000): say(f"r-{i}")
"""
CONFIG = """
version: 1
handlers:
  file: {class: otel_stdlib.handlers.JSONLFileHandler, filename: OUT}
root: {handlers: [file]}
"""


@pytest.mark.parametrize(
    "end",
    ["", "assert not handler.stop(5)", "handler.close()", "logging.basicConfig(force=True)"],
    ids=["exit", "stop", "close", "force"],
)
def test_the_spool_is_kept_and_reported(tmp_path: Path, end: str) -> None:
    """However it ends: the records stay on the disk, other processes leave them, and ``drain`` sends them."""
    done = run(tmp_path, WITHOUT + end)
    assert "has no handlers" in done.stderr
    (spool_id,) = spools(tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if spool_id in line]
    assert "otel-stdlib spool drain --config FILE --to HANDLER" in line

    # A process that adopts what it can has nothing to do with them.
    run(tmp_path, "configure()\nsay('other')\nassert queue_handler().flush(60)\n")
    assert spools(tmp_path) == [spool_id]

    config = tmp_path / "logging.yaml"
    config.write_text(CONFIG.replace("OUT", str(tmp_path / "out" / "app.jsonl")))
    for options, status in (((), 1), (("--to", "file"), 0)):
        drained = subprocess.run(
            [sys.executable, "-m", "otel_stdlib.cli", "spool", "drain", "--config", str(config), *options],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert drained.returncode == status, drained.stdout + drained.stderr
        assert spools(tmp_path) == ([] if status == 0 else [spool_id])
    assert bodies(tmp_path) == accepted(tmp_path)


def test_flush_does_not_call_them_delivered(tmp_path: Path) -> None:
    """``flush(timeout)`` is false, and nothing is counted as lost, for nothing is."""
    done = run(tmp_path, WITHOUT + "print(handler.flush(5), handler.health()['dropped'])")
    assert done.stdout == "False {}\n"


def test_handlers_that_come_later_do_not_cost_the_earlier_records(tmp_path: Path) -> None:
    """What was logged before ``set_handlers`` stays in a spool of its own; what comes after is delivered."""
    run(
        tmp_path,
        WITHOUT
        + """
handler.set_handlers(["file"], True)
log.info("after")
assert handler.flush(60)
""",
    )
    assert bodies(tmp_path) == Counter({"after": 1})
    assert len(spools(tmp_path)) == 1


@pytest.mark.parametrize(
    ("spool", "reason"),
    [({"durability": "memory"}, "memory"), ({"overflow": "drop_oldest", "max_bytes": 1 << 18}, "evicted")],
    ids=["memory", "evicted"],
)
def test_what_cannot_be_kept_is_counted(tmp_path: Path, spool: dict[str, object], reason: str) -> None:
    """In memory, or over the cap, records without a destination are lost: counted once, by severity."""
    done = run(
        tmp_path,
        WITHOUT.replace("config()", f"config(**{ {'segment_bytes': 1 << 16, **spool}!r})")
        + """
for i in range(100):
    for j in range(100): say(f"more-{i}-{j}" + "x" * 100)
    time.sleep(0.002)
handler.stop(5)
dropped = handler.health()["dropped"]
print(sum(dropped.get(REASON, {}).values()), sum(sum(each.values()) for each in dropped.values()))
""".replace("REASON", repr(reason)),
    )
    lost, total = map(int, done.stdout.split())
    assert lost > 0
    there = 0
    for name in spools(tmp_path):
        listed = subprocess.run(
            [sys.executable, "-m", "otel_stdlib.cli", "spool", "cat", name],
            env=environment(tmp_path),
            capture_output=True,
            check=True,
            timeout=60,
        )
        there += len(listed.stdout.splitlines())
    assert there + total == accepted(tmp_path).total() == 11_000


def test_a_spool_that_cannot_be_read_now_is_not_deleted(tmp_path: Path) -> None:
    """Without a free descriptor an adopter sees no segment: that is no reason to call the spool delivered."""
    run(
        tmp_path,
        """
configure()
queue_handler().stop(0)
os.makedirs(os.path.join(FOLDER, "out"))
os.mkdir(os.path.join(FOLDER, "out", "app.jsonl"))  # nothing is delivered
for i in range(20): say(f"r-{i}")
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    (tmp_path / "out" / "app.jsonl").rmdir()
    assert len(spools(tmp_path)) == 1
    run(
        tmp_path,
        """
import resource
from pathlib import Path
from otel_stdlib.spool.orphan import Scanner
from otel_stdlib.spool.place import open_root
root = open_root(Path(os.environ["OTEL_STDLIB_SPOOL_DIR"]))
tried = 0
for free in range(12):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1 + free, limits[1]))
    for orphan in Scanner(root, lambda: ()).scan(0.0):
        tried += 1
        assert not orphan.is_finished(), free
        orphan.release()
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
assert tried
""",
    )
    settle(tmp_path)
    assert bodies(tmp_path) == accepted(tmp_path)
