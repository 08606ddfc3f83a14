"""Several real processes on one table and on one spool, each record counted at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.handlers.postgres.test_application import Application, configuration, stored
from tests.servers.postgres import Database
from tests.support import eventually

pytestmark = pytest.mark.fault


def test_two_processes_fill_one_table(postgres_database: Database, tmp_path: Path) -> None:
    """Both find no table, both make it, both store into it."""
    application = Application(
        tmp_path, configuration(postgres_database, batch_records=100, partition="daily")
    )
    first = application.start(2_000, "exit")
    application.logged.append(9_000)  # the other one's numbers begin elsewhere
    second = application.start(2_000, "exit")
    application.logged.clear()
    for process in (first, second):
        application.take(process.communicate(timeout=60)[0])
        assert process.returncode == 0
    assert 4_000 == len(set(application.logged))
    assert Counter(application.logged) == stored(postgres_database)


def test_two_successors_find_one_spool(postgres_database: Database, tmp_path: Path) -> None:
    """What a killed process left is stored once, however many look for it at the same time."""
    application = Application(tmp_path, configuration(postgres_database, batch_records=50))
    for _ in range(3):
        assert -9 == application.run(1_000, "kill")
        before = list(application.logged)
        successors = []
        for _ in range(2):
            successors.append(application.start(10, "wait"))
            application.logged.append(application.logged[-1] + 1_000)
        application.logged = before
        try:
            want = len(before) + 20
            eventually(lambda want=want: len(stored(postgres_database)) >= want, 40)
        finally:
            for process in successors:
                process.kill()
                application.take(process.communicate()[0])
    assert Counter(application.logged) == stored(postgres_database)
