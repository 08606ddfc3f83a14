"""Workers that give up root's privileges after their master has logged, as ``gunicorn --preload --user`` does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import accepted, bodies, run, settle

pytestmark = pytest.mark.fault


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, with an output folder that everybody may write to."""
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can give up root's privileges")
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    (made / "out").mkdir()
    (made / "out").chmod(0o777)
    yield made
    shutil.rmtree(made)


WORKERS = """
configure()
say("master")
assert queue_handler().flush(60)
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        for i in range(200): say(f"worker-{number}-{i}")
        ok = queue_handler().flush(60) and queue_handler().health()["in_memory"] is IN_MEMORY
        ok = queue_handler().stop(60) and ok
        os._exit(0 if ok else 1)
    children.append(child)
for i in range(200): say(f"master-{i}")
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
assert queue_handler().flush(60)
"""


def test_workers_write_their_masters_file(folder: Path) -> None:
    """Each line once and whole in a file of mode 0600; the spool is in memory, which stderr reports with the remedy."""
    done = run(folder, WORKERS.replace("IN_MEMORY", "True"))
    assert bodies(folder) == accepted(folder)
    lines = [line for line in done.stderr.splitlines() if "kept in memory only" in line]
    assert len(lines) == 3, done.stderr
    assert all("OTEL_STDLIB_SPOOL_DIR" in line and "65534" in line for line in lines)
    assert (folder / "out" / "app.jsonl").stat().st_mode & 0o777 == 0o600


def test_workers_keep_a_spool_where_they_may(folder: Path) -> None:
    """Next to their master's, when that folder is theirs to write to: killed, they lose nothing."""
    place = folder / "state"
    place.mkdir()
    os.chown(place, 65534, 65534)
    spools = {"OTEL_STDLIB_SPOOL_DIR": str(place / "spools")}
    done = run(folder, WORKERS.replace("IN_MEMORY", "False"), **spools)
    assert bodies(folder) == accepted(folder)
    assert done.stderr.count(f"its spool is in {place}/spools-65534") == 3, done.stderr

    run(
        folder,
        """
configure()
say("again")
assert queue_handler().flush(60)
child = os.fork()
if child == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    for i in range(200): say(f"killed-{i}")
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
""",
        **spools,
    )
    # The next worker of that user delivers what is left; here its master does, with that folder.
    (place / "spools-65534").rename(place / "taken")
    for each in [place / "taken", *(place / "taken").rglob("*")]:
        os.chown(each, 0, 0)
    os.chown(place, 0, 0)
    settle(folder, OTEL_STDLIB_SPOOL_DIR=str(place / "taken"))
    assert bodies(folder) == accepted(folder)
