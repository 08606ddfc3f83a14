"""The end of a process: orderly, hurried, or while threads still log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import accepted, bodies, conserve, run, settle, spools

pytestmark = pytest.mark.fault


def test_an_ordinary_end_delivers_everything_and_leaves_nothing(tmp_path: Path) -> None:
    """Without any call at the end, the file is complete and the spool is gone."""
    run(tmp_path, "configure()\nfor i in range(5000): say(f'r-{i}')")
    conserve(tmp_path)
    assert accepted(tmp_path).total() == 5000
    assert spools(tmp_path) == []


def test_sys_exit_while_threads_log(tmp_path: Path) -> None:
    """Daemon threads log on while the process ends; what they were told is there in the end."""
    run(
        tmp_path,
        """
configure()
def storm(n):
    i = 0
    while True:
        say(f"{n}-{i}")
        i += 1
for n in range(4):
    threading.Thread(target=storm, args=(n,), daemon=True).start()
while os.path.getsize(os.path.join(FOLDER, "accepted.txt")) < 2000:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(0)
""",
    )
    settle(tmp_path)
    assert accepted(tmp_path).total() > 100
    # A thread is frozen between the log call and its acknowledgement: one in flight each.
    conserve(tmp_path, in_flight=4)


@pytest.mark.parametrize("way", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGTERM)", "os.abort()"])
def test_no_hook_runs(tmp_path: Path, way: str) -> None:
    """Ends that run no Python code lose nothing."""
    run(tmp_path, f"configure()\nfor i in range(2000): say(f'r-{{i}}')\n{way}\n", check=False)
    settle(tmp_path)
    assert accepted(tmp_path).total() == 2000
    conserve(tmp_path)


def test_logging_inside_atexit_and_at_shutdown(tmp_path: Path) -> None:
    """Records from hooks that run before and after ours, and from a finalizer, are kept."""
    run(
        tmp_path,
        """
import atexit
atexit.register(lambda: say("registered before: runs after the drain"))
configure()
say("first")
atexit.register(lambda: say("registered after: runs before the drain"))
class Last:
    def __del__(self, say=say):
        say("finalizer")
keep = Last()
sys.keep = keep
""",
    )
    settle(tmp_path)
    found = bodies(tmp_path)
    assert found["first"] == 1
    assert found["registered before: runs after the drain"] == 1
    assert found["registered after: runs before the drain"] == 1
    conserve(tmp_path)


def test_hooks_are_delivered_by_this_very_process(tmp_path: Path) -> None:
    """What hooks log, before and after ours, is delivered before the process is gone."""
    run(
        tmp_path,
        """
import atexit
atexit.register(lambda: say("registered before logging is configured"))
configure()
atexit.register(lambda: say("registered before the first record"))
say("first")
atexit.register(lambda: say("registered after it"))
""",
    )
    assert accepted(tmp_path) == bodies(tmp_path)
    assert bodies(tmp_path).total() == 4
    assert spools(tmp_path) == []


def test_the_deadline_is_honoured_and_what_is_left_is_said(tmp_path: Path) -> None:
    """A destination that hangs holds the end for the timeout, not longer; stderr says what waits."""
    done = run(
        tmp_path,
        """
class Hangs(logging.Handler):
    def handle(self, record):  # not emit: there the standard library's own shutdown waits for its lock
        time.sleep(3600)
import otel_stdlib
handler = otel_stdlib.OTelQueueHandler(handlers=[Hangs()], shutdown_timeout=0.5)
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
for i in range(10): say(f"r-{i}")
""",
        timeout=60,
    )
    assert "wait in the spool" in done.stderr
    assert len(spools(tmp_path)) == 1


def test_what_is_only_in_memory_does_not_wait_for_the_next_process(tmp_path: Path) -> None:
    """Without a disk nothing is left for anybody: it is counted as lost, and not said to wait."""
    done = run(
        tmp_path,
        """
class Hangs(logging.Handler):
    def handle(self, record):
        time.sleep(3600)
import otel_stdlib
handler = otel_stdlib.OTelQueueHandler(
    handlers=[Hangs()], spool={"durability": "memory"}, shutdown_timeout=0.5
)
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
for i in range(10): say(f"r-{i}")
""",
        timeout=60,
    )
    assert "10 records were only in memory when delivery ended, and are lost (10 INFO)" in done.stderr
    assert "wait in the spool" not in done.stderr


def test_flush_waits_for_delivery(tmp_path: Path) -> None:
    """After ``flush(timeout)`` answered true, the lines are in the file."""
    run(
        tmp_path,
        """
configure()
for i in range(2000): say(f"r-{i}")
assert queue_handler().flush(60) is True
text = open(os.path.join(FOLDER, "out", "app.jsonl")).read()
assert text.count('"body":"r-') == 2000
assert queue_handler().flush() is True
""",
    )
    conserve(tmp_path)


def test_stop_and_start_again(tmp_path: Path) -> None:
    """A listener stops twice, and the next record starts delivery again."""
    run(
        tmp_path,
        """
configure()
listener = queue_handler().listener
listener.start(); listener.start()
say("one")
listener.stop(); listener.stop()
deadline = time.monotonic() + 30
while [t for t in threading.enumerate() if t.name.startswith("otel-stdlib-")]:
    assert time.monotonic() < deadline, threading.enumerate()
    time.sleep(0.01)
say("two")
listener.stop()
text = open(os.path.join(FOLDER, "out", "app.jsonl")).read()
assert text.count('"body":') == 2
""",
    )
    conserve(tmp_path)
    assert spools(tmp_path) == []
