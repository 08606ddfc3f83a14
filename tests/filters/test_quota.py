"""Quotas: one limit for all processes of a service, through restarts, with a warning before it."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.filters import QuotaFilter
from otel_stdlib.handlers import JSONLFileHandler
from tests.filters.parts import Clock, lines, logged, record
from tests.support import eventually
from tests.tree import ROOT

QUOTA = "otel_stdlib.quota"
SUPPRESSED = "otel_stdlib.suppressed"


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock of quotas: it stands in the middle of a day."""
    made = Clock()
    made.now = 20_000 * 86_400 + 43_200.0
    monkeypatch.setattr("otel_stdlib.filters.quota.wall", made)
    return made


def passed(each: QuotaFilter, count: int, **fields: Any) -> int:
    """How many of so many records pass."""
    try:
        return sum(bool(each.filter(record(**fields))) for _ in range(count))
    finally:
        each.flush()


class TestLimit:
    def test_so_many_in_a_period(self, wall: Clock, tmp_path: Path) -> None:
        """And again in the next one."""
        each = QuotaFilter(10, directory=tmp_path / "q")
        assert passed(each, 15) == 10
        wall.now += 43_199
        assert passed(each, 15) == 0
        wall.now += 2
        assert passed(each, 15) == 10

    def test_a_clock_that_is_set_back(self, wall: Clock, tmp_path: Path) -> None:
        """A little does not begin a period again; a wrong date far ahead does not hold for ever."""
        each = QuotaFilter(10, directory=tmp_path / "q")
        assert passed(each, 15) == 10
        wall.now -= 86_400
        assert passed(each, 15) == 0
        wall.now -= 30 * 86_400
        assert passed(each, 15) == 10

    def test_errors_always_pass(self, wall: Clock, tmp_path: Path) -> None:
        """Above ``up_to`` nothing is limited, and nothing is used."""
        each = QuotaFilter(5, directory=tmp_path / "q")
        assert passed(each, 20, level=logging.ERROR) == 20
        assert passed(each, 20) == 5

    def test_by_tenant_in_bytes(self, wall: Clock, tmp_path: Path) -> None:
        """Each has its own, one has more."""
        each = QuotaFilter(
            100,
            unit="bytes",
            by="attribute:tenant_id",
            overrides={"acme": {"limit": 300}},
            directory=tmp_path / "q",
        )
        assert passed(each, 50, message="x" * 10, tenant_id="a") == 10
        assert passed(each, 50, message="x" * 10, tenant_id="b") == 10
        assert passed(each, 50, message="x" * 10, tenant_id="acme") == 30

    def test_a_restart_changes_nothing(self, wall: Clock, tmp_path: Path) -> None:
        """What was used is read before the first record is decided."""
        assert passed(QuotaFilter(10, directory=tmp_path / "q"), 7) == 7
        again = QuotaFilter(10, directory=tmp_path / "q")
        assert passed(again, 7) == 3

    def test_beside_the_handlers_spool(self, wall: Clock, tmp_path: Path, isolated_environment: Path) -> None:
        """Without ``directory``; another rule is another quota, another period begins anew."""
        for rule, period, expected in (("a", "day", 4), ("a", "day", 0), ("b", "day", 4), ("a", "hour", 4)):
            each = QuotaFilter(4, rule=rule, period=period, report=0, warn_at=1)
            with logged(tmp_path / f"{rule}{period}{expected}", each) as made:
                for _ in range(6):
                    made.logger.info("x")
                assert len(made.lines()) == expected
                assert made.suppressed() == {rule: {"INFO": 6 - expected}}
        assert len(list(isolated_environment.glob("quota-*.json"))) == 2

    def test_threads(self, wall: Clock, tmp_path: Path) -> None:
        """Exactly the limit passes, from however many threads of a process."""
        each, found = QuotaFilter(1_000, directory=tmp_path / "q"), []

        def log() -> None:
            found.append(sum(bool(each.filter(record())) for _ in range(500)))

        threads = [threading.Thread(target=log) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        each.flush()
        assert sum(found) == 1_000


class TestReports:
    def test_a_warning_then_what_was_suppressed(self, wall: Clock, tmp_path: Path) -> None:
        """At 80 %, once; after the limit a report, and ERROR goes on."""
        with logged(tmp_path, QuotaFilter(10)) as made:
            for number in range(8):
                made.logger.info("x%s", number)
            found = made.lines()
            (warning,) = [line for line in found if line.get("event_name") == QUOTA]
            assert (warning["severity_text"], warning["body"]) == ("WARNING", "8 of 10 records used (quota)")
            assert warning["attributes"]["otel_stdlib.quota.limit"] == 10
            for _ in range(5):
                made.logger.info("y")
            made.logger.error("z")
            events = [line.get("event_name") for line in made.lines()]
            assert (events.count(QUOTA), events.count(SUPPRESSED), events.count(None)) == (1, 1, 11)
            assert made.suppressed() == {"quota": {"INFO": 3}}

    def test_by_itself(self, wall: Clock, tmp_path: Path) -> None:
        """The background thread exchanges and warns."""
        with logged(tmp_path, QuotaFilter(2)) as made:
            made.logger.info("x")
            made.logger.info("x")
            assert eventually(lambda: len(lines(made.path)) == 3)


_WRITER = """
import sys, time
from otel_stdlib.filters import QuotaFilter
from tests.filters.parts import record
each = QuotaFilter(4_000, directory=sys.argv[1], report=0, warn_at=1)
passed = 0
end = time.monotonic() + 4.0
print("ready", flush=True)
sys.stdin.readline()
while time.monotonic() < end:
    passed += bool(each.filter(record()))
    time.sleep(0.001)
each.flush()
print(passed)
"""


@pytest.mark.slow
def test_eight_processes(tmp_path: Path) -> None:
    """Together they pass the limit by no more than what they log in a second."""
    folder = tmp_path / "q"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for each in writers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        found = [int(each.communicate("go\n", timeout=100)[0]) for each in writers]
    finally:
        for each in writers:
            each.kill()
            each.wait()
    # A thousand calls a second each at most; a busy machine may delay an exchange by as much again.
    assert min(4_000, sum(found)) <= sum(found) <= 4_000 + 8 * 2_000
    (kept,) = [json.loads(path.read_text()) for path in folder.glob("quota-*.json")]
    assert kept["used"][""] == sum(found)
    assert passed(QuotaFilter(4_000, directory=folder, report=0, warn_at=1), 10) == max(
        0, min(10, 4_000 - sum(found))
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_shares_the_quota(wall: Clock, tmp_path: Path) -> None:
    """What its parent has used counts, once."""
    each = QuotaFilter(10, directory=tmp_path / "q")
    assert passed(each, 3) == 3
    pid = os.fork()
    if not pid:
        os._exit(passed(each, 4))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
    each.flush()
    assert passed(each, 10) == 3


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ('{"version": 2}', "it is of version 2, and this package writes version 1"),
            ("[]", "it is not a quota's file"),
            ("{", "cannot be used"),
            ('{"version": 1, "used": 3}', "it is damaged"),
        ],
    )
    def test_a_file_of_another_version(self, tmp_path: Path, text: str, reason: str) -> None:
        """An error at load, in code and in a document, with the option's name."""
        passed(QuotaFilter(3, directory=tmp_path), 1)
        (path,) = tmp_path.glob("quota-*.json")
        path.write_text(text)
        with pytest.raises(ConfigError, match=f"option 'directory': the quota's file .*{reason}"):
            QuotaFilter(3, directory=tmp_path)
        queue = OTelQueueHandler(
            handlers=[JSONLFileHandler(tmp_path / "a.jsonl")], spool={"directory": str(tmp_path)}
        )
        with pytest.raises(ConfigError, match="the quota's file"):
            queue.addFilter(QuotaFilter(3))

    def test_at_run_time_it_is_reported(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """The process counts alone; no exception, and the limit holds."""
        each = QuotaFilter(5, directory=tmp_path)
        assert passed(each, 2) == 2
        (path,) = tmp_path.glob("quota-*.json")
        path.write_text("gone bad")
        assert passed(each, 10) == 3
        assert "each process counts alone" in capfd.readouterr().err
        path.unlink()
        assert passed(each, 10) == 0
        assert json.loads(path.read_text())["used"] == {"": 3}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"limit": 0}, "option 'limit' must be a whole number of 1 or more"),
            ({"limit": -5}, "option 'limit' must be a whole number of 1 or more"),
            ({"limit": 1.5}, "option 'limit' must be a whole number"),
            (
                {"period": "dai"},
                "option 'period' must be one of minute, hour, day or whole seconds, .* 'day'",
            ),
            ({"period": 0}, "option 'period' must be one of"),
            ({"unit": "kb"}, "option 'unit' must be one of records, bytes"),
            ({"warn_at": 2}, "option 'warn_at' must be a number above 0 and up to 1"),
            ({"by": "tenant"}, "option 'by' must have names"),
            (
                {"overrides": {"a": {"limits": 1}}},
                "unknown option 'limits' of 'overrides.a'; did you mean 'limit'",
            ),
            ({"overrides": {"a": {}}}, "option 'limit' of 'overrides.a' must be a whole number"),
            ({"directory": ""}, "option 'directory' must be a path"),
            ({"limits": 3}, "unknown option 'limits' of QuotaFilter; did you mean 'limit'"),
        ],
    )
    def test_an_error_names_the_option(self, options: dict[str, Any], message: str) -> None:
        """What is wrong, what is allowed, and the nearest name."""
        with pytest.raises(ConfigError, match=message):
            QuotaFilter(**{"limit": 3, **options})
