"""Descriptors that the application closes under us, and those that we close ourselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import conserve, run, spools

pytestmark = pytest.mark.fault

#: Closes all descriptors, as code does that becomes a daemon, and opens files of its own with their numbers.
TAKE_OVER = """
import resource
ACK = os.dup2(_ack, 900)
def close_all():
    os.closerange(3, 900)
    os.closerange(901, 4096)
own = []
def open_own(count=40):
    for _ in range(count):
        path = os.path.join(FOLDER, f"own-{len(own)}")
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(file, b"data" * 64)
        own.append((path, file))
def check_own():
    for path, file in own:
        with open(path, "rb") as again: assert again.read() == b"data" * 64, path
        assert os.path.samestat(os.fstat(file), os.stat(path)), f"{path} was closed"
def say(body):
    log.info(body)
    os.write(ACK, (body + "\\n").encode())
"""


@pytest.mark.parametrize("moment", ["idle", "under way"])
def test_descriptors_closed_by_the_application(tmp_path: Path, moment: str) -> None:
    """No byte goes into a foreign file and none is closed; every record is delivered, and a line reports it."""
    done = run(
        tmp_path,
        TAKE_OVER
        + """
configure(segment_bytes=1 << 17, max_bytes=1 << 22)
say("first"); assert queue_handler().flush(60)  # Python's own files, of modules that are imported on first use
for i in range(100): say(f"before-{i}")
if MOMENT == "idle": assert queue_handler().flush(60)
close_all()
open_own()
for i in range(3000): say(f"after-{i} " + "x" * 200)
assert queue_handler().flush(60)
check_own()
for path, file in own: os.close(file)
own.clear()
close_all()
open_own()
for i in range(50): say(f"again-{i}")
assert queue_handler().flush(60)
assert queue_handler().stop(60)
check_own()
""".replace("MOMENT", repr(moment)),
    )
    assert "closed file descriptors of otel_stdlib" in done.stderr
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_the_lock_is_taken_again(tmp_path: Path) -> None:
    """A spool whose lock was closed under it is not adopted by others while its process lives."""
    script = (
        TAKE_OVER
        + """
configure()
say("first")
assert queue_handler().flush(60)
own_id = queue_handler().health()["spool_id"]
close_all()
from otel_stdlib.spool.lock import try_lock
deadline = time.monotonic() + 60
while True:
    place = os.open(os.path.join(os.environ["OTEL_STDLIB_SPOOL_DIR"], own_id), os.O_RDONLY)
    lock = try_lock(place)
    os.close(place)
    if lock is None: break
    lock.close()
    assert time.monotonic() < deadline
    time.sleep(0.01)
say("second")
assert queue_handler().stop(60)
"""
    )
    run(tmp_path, script)
    conserve(tmp_path)


def test_handlers_that_are_closed_hold_no_descriptor(tmp_path: Path) -> None:
    """Without any collection: forty handlers, closed one after another, leave nothing open."""
    run(
        tmp_path,
        """
import gc
from otel_stdlib.handlers import JSONLFileHandler
gc.disable()
def count(): return len(os.listdir("/proc/self/fd"))
def use(number):
    handler = JSONLFileHandler(os.path.join(FOLDER, f"job-{number}.jsonl"))
    log.addHandler(handler); log.propagate = False; log.warning("x")
    assert handler.flush(60)
    log.removeHandler(handler)
    handler.close()
use(0)
deadline = time.monotonic() + 60
def settled(): return not [n for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"]) if len(n) == 26]
while not settled(): time.sleep(0.01)
before = count()
for number in range(1, 41): use(number)
while count() > before + 2 and time.monotonic() < deadline: time.sleep(0.02)
assert count() <= before + 2, (before, count())
""",
    )
