"""A server whose disk is full: records wait, it is said once, and delivery resumes when there is room."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, expected, frame, uids
from tests.handlers.postgres.test_faults import delivered
from tests.servers.postgres import Database, Postgres
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

pytestmark = pytest.mark.fault


@pytest.fixture
def small_tablespace(postgres_server: Postgres, postgres_database: Database) -> Iterator[Path]:
    """The database's tables are made on a disk of 8 MiB; the folder of that disk."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root on Linux can mount a small file system")
    name = postgres_database.name
    place = postgres_server.directory / name
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        place.rmdir()
        pytest.skip(f"mounting is refused here: {done.stderr.strip()}")
    try:
        inside = place / "tables"
        inside.mkdir(mode=0o700)
        owner = pwd.getpwuid(postgres_server.directory.stat().st_uid)
        os.chown(inside, owner.pw_uid, owner.pw_gid)
        postgres_database.execute(f"CREATE TABLESPACE {name} LOCATION '{inside}'")
        postgres_database.execute(f"ALTER DATABASE {name} SET default_tablespace = {name}")
        yield place
        postgres_database.execute("DROP TABLE IF EXISTS otel_logs, otel_logs_offsets CASCADE")
        postgres_database.execute(f"ALTER DATABASE {name} RESET default_tablespace")
        postgres_database.execute(f"DROP TABLESPACE {name}")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def test_a_full_disk_is_waited_for(
    make: Make,
    run: Run,
    small_tablespace: Path,
    postgres_database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Batches that find no room are stored when somebody has made some: none missing, none twice."""
    source = ListSource([frame(n, text="x" * 1_000) for n in range(1, 101)])
    target = make(max_retries=2)
    target.name = f"postgres {postgres_database.name}"  # what is said once is said once for each name
    worker = run(target, source)
    eventually(lambda: source.saved == source.head(), 60)
    ballast = small_tablespace / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4_096)) == 4_096:
                pass
        except OSError:
            pass  # full
    source.extend(frame(n, text="x" * 1_000) for n in range(101, 1_001))
    eventually(lambda: "53100" in str(worker.snapshot()["last_error"]), 60)
    before = worker.snapshot()["retried"]
    eventually(lambda: worker.snapshot()["retried"] >= before + 3_000, 60)
    assert 100 == len(uids(postgres_database))
    ballast.unlink()
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)
    said = [line for line in capsys.readouterr().err.splitlines() if "does not take records" in line]
    assert 1 == len(said)
    assert "disk is full" in said[0]
