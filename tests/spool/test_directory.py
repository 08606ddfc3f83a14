"""A spool's lock belongs to the process that took it, whatever it forks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.spool.place import open_root
from tests.tree import PACKAGE, ROOT, modules, parse

#: Files that take locks, each with the registry that lets go of them in a child, or the reason why none is needed.
LOCKERS = {
    "cli/inspect.py": "a command, which forks nothing",
    "spool/directory.py": "registered in ``_open``",
    "spool/lock.py": "gives its descriptor to the directory",
    "handlers/jsonl/lock.py": "registered in ``_heirs``",
    "handlers/jsonl/compress.py": "held for one file on one thread, and unlocked by name",
    "delivery/letterfile.py": "held for one letter, and unlocked by name",
    "filters/quota_file.py": "held for one addition, and unlocked by name",
    "spool/pages.py": "let go by ``reporting._forks``; another's is held for one reading, and unlocked by name",
    "facts/filelock.py": "takes and gives; it keeps nothing",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_lets_go_of_every_spool(tmp_path: Path) -> None:
    """When the parent lets go, another one can adopt, although a child of the parent's lives."""
    root = open_root(tmp_path / "spool")
    spool_id = new_spool_id()
    held = SpoolDirectory.create(root, spool_id, b"{}")
    told, tell = os.pipe()
    wait, release = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b"x")
        os.read(wait, 1)
        os._exit(0)
    try:
        assert b"x" == os.read(told, 1)
        assert SpoolDirectory.adopt(root, spool_id) is None, (
            "the parent's lock did not fall with the child's copy"
        )
        held.release()
        adopted = SpoolDirectory.adopt(root, spool_id)
        assert adopted is not None
        adopted.remove()
    finally:
        os.write(release, b"x")
        os.waitpid(child, 0)
        for fd in (told, tell, wait, release):
            os.close(fd)


def test_whoever_takes_locks_lets_go_of_them_in_a_child() -> None:
    """A new file that takes one has to say how, here."""
    found = set()
    for path in modules():
        calls = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
        names = {getattr(call, "id", getattr(call, "attr", "")) for call in calls}
        if names & {"flock", "lockf", "try_lock", "locking"}:
            found.add(str(path.relative_to(ROOT / PACKAGE)).replace(os.sep, "/"))
    assert set(LOCKERS) == found


_RETIRED = """
import logging, os, sys, time
from otel_stdlib.handlers import OTLPHandler
log = logging.Logger("a", 20)
handler = OTLPHandler(endpoint="http://127.0.0.1:9", spool={"directory": sys.argv[1]}, shutdown_timeout=0.1)
log.addHandler(handler)
log.info("waits")
if sys.argv[2] == "closed":
    handler.close()
if os.fork() == 0:
    places = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    inherited = [os.readlink(place) for place in places if os.path.lexists(place)]
    print([path for path in inherited if path.endswith("/lock")], flush=True)
    os._exit(0)
os.wait()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_forked_child_has_no_lock_of_its_parents(tmp_path: Path, state: str) -> None:
    """Neither of a pipeline that runs nor of one that was closed and still delivers."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RETIRED, str(tmp_path / "spool"), state],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "[]\n" == done.stdout
