"""Processes that live for a moment only: they deliver what others left, and leave next to nothing themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.graveyard import bury
from tests.faults.harness import conserve, run, settle, spools

pytestmark = pytest.mark.fault

#: Dies at once: most of its records are not delivered.
KILLED = """
configure()
for i in range(50): say(f"killed-{sys.argv[1]}-{i}")
os.kill(os.getpid(), signal.SIGKILL)
"""
#: Ends as soon as its only record is logged.
SHORT = """
configure()
say(f"short-{sys.argv[1]}")
"""
#: What a work horse of rq does: no exit hook runs.
HORSE = """
configure(segment_bytes=8 << 20)
say(f"horse-{sys.argv[1]}")
if sys.argv[2] == "delivered":
    assert queue_handler().flush(60)
    deadline = time.monotonic() + 60
    while len(os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"])) > 1 and time.monotonic() < deadline:
        time.sleep(0.005)
os._exit(0)
"""


def test_killed_and_short_processes_in_turn(tmp_path: Path) -> None:
    """Every record is delivered once by processes none of which lives for a look every two seconds."""
    for number in range(6):
        run(tmp_path, KILLED, check=False, arguments=(str(number),))
        run(tmp_path, SHORT, arguments=(str(number),))
        assert spools(tmp_path) == [], "the end of a process delivers what it finds"
    conserve(tmp_path)


def test_more_than_are_delivered_at_once(tmp_path: Path) -> None:
    """Forty spools of dead processes, and one short process: all are delivered before it ends."""
    bury(tmp_path, 40, 5)
    run(tmp_path, SHORT, arguments=("1",))
    assert spools(tmp_path) == []
    conserve(tmp_path)


def test_explicit_stop_delivers_them_too(tmp_path: Path) -> None:
    """Also where the application ends logging itself, before the exit hook."""
    bury(tmp_path, 3, 5)
    run(
        tmp_path,
        SHORT
        + "assert queue_handler().stop()\nassert len(os.listdir(SPOOLS)) == 0\n".replace(
            "SPOOLS", "os.environ['OTEL_STDLIB_SPOOL_DIR']"
        ),
        arguments=("1",),
    )
    conserve(tmp_path)


def test_a_destination_that_fails_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """One failing attempt is enough: the spools of others are left, whole, to the next process."""
    bury(tmp_path, 20, 5)
    (tmp_path / "out").write_text("a file where a folder should be")
    run(
        tmp_path,
        """
from otel_stdlib.handlers.jsonl.file import BlockFile
tries = []
real = BlockFile.hold
def hold(self):
    tries.append(1)
    return real(self)
BlockFile.hold = hold
configure()
say("short-1")
import atexit
@atexit.register
def late(): pass
begun = time.monotonic()
assert not queue_handler().stop()
assert time.monotonic() - begun < 30  # of the sixty that it may take
assert len(tries) < 20, len(tries)
""",
    )
    (tmp_path / "out").unlink()
    settle(tmp_path)
    conserve(tmp_path)


@pytest.mark.parametrize("state", ["delivered", "waiting"])
def test_processes_that_end_without_exit_hooks(tmp_path: Path, state: str) -> None:
    """Each removes what it finds delivered, and leaves one small folder; the first that ends by itself removes all."""
    for number in range(5):
        run(tmp_path, HORSE, arguments=(str(number), state))
        left = spools(tmp_path)
        # One that does not wait for anything may end before its background thread has looked at all.
        assert state == "waiting" or len(left) == 1
        for spool_id in left:
            folder = tmp_path / "spools" / spool_id
            assert sum(os.stat(folder / name).st_blocks * 512 for name in os.listdir(folder)) <= 128 << 10
    run(tmp_path, SHORT, arguments=("last",))
    assert spools(tmp_path) == []
    conserve(tmp_path)


def test_many_at_once_over_the_same_dead(tmp_path: Path) -> None:
    """Several short processes look at the same time: each spool is delivered by one of them."""
    bury(tmp_path, 30, 10)
    run(
        tmp_path,
        """
import subprocess
text = PROGRAM
children = [subprocess.Popen([sys.executable, "-c", text, str(n)]) for n in range(4)]
assert [child.wait(80) for child in children] == [0] * 4
""".replace("PROGRAM", "sys.orig_argv[2].partition('import subprocess')[0] + " + repr(SHORT)),
    )
    run(tmp_path, SHORT, arguments=("last",))
    assert spools(tmp_path) == []
    conserve(tmp_path)
