"""Forked, spawned and abandoned processes: each delivers its own, none touches another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import accepted, conserve, records, run, settle, spools

pytestmark = pytest.mark.fault


def check(folder: Path, expected: int) -> None:
    """What was acknowledged is there once, and no spool is left."""
    settle(folder)
    assert accepted(folder).total() == expected
    conserve(folder)
    assert spools(folder) == []


def test_os_fork_in_a_storm_of_logging_threads(tmp_path: Path) -> None:
    """Children forked while eight threads log: parent and children deliver all of theirs."""
    run(
        tmp_path,
        """
configure()
stop = threading.Event()
def storm(n):
    i = 0
    while not stop.is_set():
        say(f"parent-{n}-{i}")
        i += 1
threads = [threading.Thread(target=storm, args=(n,)) for n in range(8)]
for t in threads: t.start()
pids = []
for child in range(10):
    pid = os.fork()
    if pid == 0:
        for i in range(100):
            say(f"child-{child}-{i}")
        sys.exit(0) if child % 2 else os._exit(0)
    pids.append(pid)
    time.sleep(0.02)
stop.set()
for t in threads: t.join()
for pid in pids: assert os.waitpid(pid, 0)[1] == 0
for child in range(10):
    assert sum(1 for line in open(os.path.join(FOLDER, "accepted.txt")) if line.startswith(f"child-{child}-")) == 100
""",
    )
    settle(tmp_path)
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_fork_in_the_middle_of_a_log_call(tmp_path: Path) -> None:
    """A fork inside the call itself, from a hostile ``__str__`` and from a signal handler."""
    run(
        tmp_path,
        """
configure()
class Forks:
    def __str__(self):
        global child
        child = os.fork()
        return "forked"
say("before")
log.info("%s", Forks())
name = "child" if child == 0 else "parent"
for i in range(50):
    say(f"{name}-{i}")
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
    settle(tmp_path)
    found = records(tmp_path)
    assert sum(r["body"] == "forked" for r in found) == 2  # each process logged its own
    conserve(tmp_path, in_flight=2)


def test_c_level_fork(tmp_path: Path) -> None:
    """A fork that runs no Python hook (uWSGI): the child makes its own spool with its first record."""
    run(
        tmp_path,
        """
import ctypes
from otel_stdlib.facts import threads
from otel_stdlib.pipeline import pace
configure()
for i in range(20): say(f"parent-{i}")
# A thread of the parent's that asks for the GIL at the fork is not in the child, which would wait
# for it for ever: CPython's own rule. Meanwhile they are all in a long wait, and none asks.
fork = ctypes.PyDLL(None).fork
wait, sleep = threads.Event.wait, pace.sleep
threads.Event.wait = lambda event, timeout: wait(event, 5.0)
pace.sleep = lambda seconds: sleep(5.0)
interval = sys.getswitchinterval()
sys.setswitchinterval(1000)
time.sleep(0.5)
pid = fork()
sys.setswitchinterval(interval)
threads.Event.wait, pace.sleep = wait, sleep
if pid == 0:
    for i in range(200): say(f"child-{i}")
    queue_handler().flush(20)
    os._exit(0)
for i in range(200): say(f"parent-more-{i}")
assert os.waitpid(pid, 0)[1] == 0
""",
    )
    check(tmp_path, 420)


def test_child_outlives_its_killed_parent(tmp_path: Path) -> None:
    """The parent's spool is adopted although a child that inherited its lock still lives."""
    run(
        tmp_path,
        """
configure()
PARENT = os.getpid()
for i in range(500): say(f"parent-{i}")
if os.fork() == 0:
    say("child")
    deadline = time.monotonic() + 30
    while os.getppid() == PARENT and time.monotonic() < deadline:
        time.sleep(0.01)
    own = queue_handler().health()["spool_id"]
    while any(len(n) == 26 and n != own for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"])):
        time.sleep(0.02)
        assert time.monotonic() < deadline
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    check(tmp_path, 501)


def test_double_fork(tmp_path: Path) -> None:
    """A daemonised grandchild delivers its own."""
    run(
        tmp_path,
        """
configure()
say("parent")
pid = os.fork()
if pid == 0:
    say("child")
    if os.fork() == 0:
        for i in range(50): say(f"grandchild-{i}")
        sys.exit(0)
    os._exit(0)
os.waitpid(pid, 0)
deadline = time.monotonic() + 30
while sum(1 for _ in open(os.path.join(FOLDER, "accepted.txt"))) < 52:
    time.sleep(0.01)
    assert time.monotonic() < deadline
""",
    )
    check(tmp_path, 52)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    """Children of multiprocessing deliver their last record, whichever way they start."""
    script = tmp_path / "children.py"
    from tests.faults.harness import PREAMBLE

    script.write_text(
        PREAMBLE
        + f"""
import multiprocessing
def work(n):
    configure() if "{method}" != "fork" else None
    for i in range(50): say(f"child-{{n}}-{{i}}")
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    configure()
    say("parent")
    children = [context.Process(target=work, args=(n,)) for n in range(4)]
    for c in children: c.start()
    for c in children:
        c.join()
        assert c.exitcode == 0
"""
    )
    run(
        tmp_path,
        f"sys.argv = [{str(script)!r}]; import runpy; runpy.run_path({str(script)!r}, run_name='__main__')",
    )
    check(tmp_path, 201)


def test_children_of_multiprocessing_drain_before_they_end(tmp_path: Path) -> None:
    """A forked child's records are in the file when the child has ended, without any adopter."""
    run(
        tmp_path,
        """
import multiprocessing
context = multiprocessing.get_context("fork")
configure()
def work():
    for i in range(50): say(f"child-{i}")
child = context.Process(target=work)
child.start(); child.join()
text = open(os.path.join(FOLDER, "out", "app.jsonl")).read()
assert text.count('"body":"child-') == 50, text.count("child-")
""",
    )
    conserve(tmp_path)


def test_subprocess_with_open_descriptors(tmp_path: Path) -> None:
    """A child program started with ``close_fds=False`` holds no lock of ours."""
    run(
        tmp_path,
        """
import subprocess
configure()
for i in range(10): say(f"record-{i}")
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # or its end would be waited for
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False, **quiet)
with open(os.path.join(FOLDER, "pid"), "w") as file:
    file.write(str(child.pid))
os.kill(os.getpid(), signal.SIGKILL)
""",
        check=False,
    )
    import os
    import signal
    import sys

    try:
        check(tmp_path, 10)
        assert Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists() or sys.platform != "linux"
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
