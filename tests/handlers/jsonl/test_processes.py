"""Several processes on one file, forks, and a holder of the lock that does not go on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from otel_stdlib.facts.errors import RetryableError
from tests.handlers.jsonl.support import batch, destination, expected, files, python, run, uids

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")

WRITERS = """
import random, signal, time
target = Path(sys.argv[1]) / "app.jsonl"
options = dict(max_bytes=60_000, backup_count=400, compress=sys.argv[2] == "gzip")

def write(number, first, last):
    file = destination(target, **options)
    file._file._lock.timeout = 60  # a delivery thread would try again; one holder may stand still for long
    size = random.Random(number).randint(1, 40)
    while first < last:
        file.deliver(batch(first, min(size, last - first), number))
        first += size
    file.close()

def start(number, first=0, last=400):
    child = os.fork()
    if child == 0:
        try:
            write(number, first, last)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    return child

children = [start(number) for number in range(8)]
"""


@pytest.mark.parametrize("compress", ["plain", "gzip"])
def test_eight_processes_write_one_rotating_file(tmp_path: Path, compress: str) -> None:
    """Every record of all of them stands once in all the files together, and no file is too long."""
    run(
        WRITERS
        + """
assert [0] * 8 == [os.waitpid(child, 0)[1] for child in children]
""",
        tmp_path,
        compress,
    )
    target = tmp_path / "app.jsonl"
    if compress == "gzip":  # the last ones closed before they were done
        destination(target, backup_count=400, max_bytes=60_000).close()
    assert expected([batch(0, 400, number) for number in range(8)]) == uids(target)
    assert max(path.stat().st_size for path in files(target)) <= 60_000
    assert len(files(target)) > 4


def test_processes_that_are_killed_leave_nothing_behind(tmp_path: Path) -> None:
    """While eight write, each is killed at a seeded moment and goes on in a new process."""
    run(
        WRITERS
        + """
moment = random.Random(3)
for number, child in enumerate(children):
    time.sleep(moment.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    file = destination(target, **options)
    begin = file.position(batch(0, 1, number).origin)
    file.close()
    first = 0 if begin is None else (begin - (1 << 32) - 64) // STEP
    children[number] = start(number, first)
assert [0] * 8 == [os.waitpid(child, 0)[1] for child in children]
""",
        tmp_path,
        "gzip",
    )
    target = tmp_path / "app.jsonl"
    destination(target, backup_count=400, max_bytes=60_000).close()
    assert expected([batch(0, 400, number) for number in range(8)]) == uids(target)


@pytest.mark.parametrize("how", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_a_child_neither_unlocks_nor_keeps_its_parents_lock(tmp_path: Path, how: str) -> None:
    """Forked in the middle of a hold, by Python or in C, a child changes nothing and can write itself."""
    run(
        f"""
import ctypes, signal
target = Path(sys.argv[1]) / "app.jsonl"
file = destination(target)
with file._file.hold():
    child = {how}
    if child == 0:
        from otel_stdlib.handlers.jsonl import abandon_all
        abandon_all()
        os.kill(os.getpid(), signal.SIGSTOP)
        file.deliver(batch(0, 5, 1))
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    other = JSONLDestination(JSONLOptions(target))
    other._file._lock.timeout = 0.05
    try:
        other.open()
        raise SystemExit("the child unlocked the parent's lock")
    except Exception as error:
        assert "locked" in str(error), error
    os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
file.deliver(batch(0, 5))
assert uids(target) == expected([batch(0, 5), batch(0, 5, 1)])
""",
        tmp_path,
    )


def test_a_parent_that_dies_in_a_hold_frees_the_lock(tmp_path: Path) -> None:
    """Its child, which lives on, has closed the inherited descriptor."""
    child = python(
        """
import signal
file = destination(Path(sys.argv[1]) / "app.jsonl")
with file._file.hold():
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b"x")
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.read(ready, 1)
    print(child, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""",
        tmp_path,
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.wait(60)
    try:
        file = destination(tmp_path / "app.jsonl")
        assert file.deliver(batch(0, 2)) is None
        file.close()
    finally:
        os.kill(grandchild, signal.SIGKILL)
        child.communicate(timeout=30)


def test_a_stopped_holder_makes_the_others_try_again_later(tmp_path: Path) -> None:
    """A wait for the lock has an end, and the error says what it waited for."""
    one, two = destination(tmp_path / "app.jsonl"), destination(tmp_path / "app.jsonl")
    two._file._lock.timeout = 0.05
    with one._file.hold(), pytest.raises(RetryableError, match="locked by another process"):
        two.deliver(batch(0, 1))
    assert two.deliver(batch(0, 1)) is None
    one.close()
    two.close()


def test_the_child_of_a_c_fork_is_seen_by_its_process_id(tmp_path: Path) -> None:
    """Without any hook the first use in the child opens everything anew, its lock included."""
    run(
        """
import ctypes
target = Path(sys.argv[1]) / "app.jsonl"
file = destination(target)
with file._file.hold():
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        file._file._lock.timeout = 0.05
        try:
            file.deliver(batch(0, 5, 1))
        except Exception as error:
            os._exit(0 if "locked" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
child = ctypes.PyDLL(None).fork()
if child == 0:
    file.deliver(batch(0, 5, 1))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
file.deliver(batch(0, 5))
assert uids(target) == expected([batch(0, 5), batch(0, 5, 1)])
""",
        tmp_path,
    )
