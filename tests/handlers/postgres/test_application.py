"""From a log call to the table, through ``dictConfig``, with the application killed and restarted."""

from __future__ import annotations

import json
import logging.config
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler, load_dict_config
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import PostgresHandler
from tests.handlers.postgres.support import keywords
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.support import eventually

APPLICATION = Path(__file__).with_name("application.py")
ROOT = Path(__file__).resolve().parents[3]


def configuration(database: Database, *, queue: bool = True, **options: Any) -> dict[str, Any]:
    """``dictConfig`` for one PostgreSQL handler, behind the queue or on its own."""
    handlers: dict[str, Any] = {
        "postgres": {
            "()": "otel_stdlib.handlers.PostgresHandler",
            **keywords(database),
            "shutdown_timeout": 20.0,
            **options,
        }
    }
    if queue:
        del handlers["postgres"]["shutdown_timeout"]
        handlers["queue"] = {
            "()": "otel_stdlib.OTelQueueHandler",
            "handlers": ["postgres"],
            "shutdown_timeout": 20.0,
        }
    root = {"level": "INFO", "handlers": ["queue" if queue else "postgres"]}
    return {"version": 1, "handlers": handlers, "root": root}


class Application:
    """Runs of the application with one spool folder."""

    def __init__(self, tmp_path: Path, config: dict[str, Any]) -> None:
        self._config = tmp_path / "logging.json"
        self._config.write_text(json.dumps(config))
        spools = tmp_path / "spools"
        spools.mkdir(mode=0o700)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._environment = {**os.environ, "OTEL_STDLIB_SPOOL_DIR": str(spools), "PYTHONPATH": path}
        self.logged: list[int] = []

    def start(self, amount: int, end: str) -> subprocess.Popen[str]:
        """Start a run; the caller ends it and gives its output to ``take``."""
        first = self.logged[-1] + 1_000 if self.logged else 1
        command = [sys.executable, str(APPLICATION), str(self._config), str(first), str(amount), end]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment, text=True)

    def take(self, output: str) -> None:
        """Note the numbers of the log calls that returned; a torn last line is none."""
        self.logged += [int(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]

    def run(self, amount: int, end: str) -> int:
        """A whole run; its return code."""
        process = self.start(amount, end)
        output, _ = process.communicate(timeout=60)
        self.take(output)
        return process.returncode


def stored(database: Database) -> Counter[int]:
    """How often each number is in the table; empty while there is none."""
    if database.execute("SELECT to_regclass('otel_logs')") == [(None,)]:
        return Counter()
    return Counter(row[0] for row in database.execute("SELECT (attributes ->> 'number')::int FROM otel_logs"))


@pytest.mark.parametrize("queue", [True, False], ids=["behind the queue", "on its own"])
def test_an_application_that_ends_has_delivered(
    postgres_database: Database, tmp_path: Path, queue: bool
) -> None:
    """The exit drains; the offset row goes, or stays for the sweep; records are complete."""
    application = Application(tmp_path, configuration(postgres_database, queue=queue))
    assert 0 == application.run(3_000, "exit")
    assert Counter(application.logged) == stored(postgres_database)
    row = postgres_database.execute(
        "SELECT body, severity_text, severity_number, resource ? 'service.name', attributes ->> 'otel.scope.name'"
        " FROM otel_logs WHERE attributes ->> 'number' = '7'"
    )
    assert [("order 7 placed", "INFO", 9, True, "shop.orders")] == row


@pytest.mark.fault
def test_an_application_killed_and_restarted(postgres_database: Database, tmp_path: Path) -> None:
    """SIGKILL right behind the last log call, ten times; the next run delivers what the one before left."""
    application = Application(tmp_path, configuration(postgres_database))
    for _ in range(10):
        assert -9 == application.run(1_000, "kill")
    process = application.start(10, "wait")
    try:
        eventually(lambda: 10_010 == len(stored(postgres_database)), 40)
    finally:
        process.kill()
        application.take(process.communicate()[0])
    assert Counter(application.logged) == stored(postgres_database)


@pytest.mark.fault
def test_an_application_killed_in_the_middle_of_delivery(
    postgres_database: Database, proxy: Callable[[str, int], Proxy], tmp_path: Path
) -> None:
    """Killed when the server has stored a batch and its answer is on the way."""
    between = proxy(postgres_database.host, postgres_database.port)
    config = configuration(postgres_database.through(between.port), batch_records=100)
    application = Application(tmp_path, config)
    assert 0 == application.run(10, "exit")
    for _ in range(3):
        before = len(stored(postgres_database))
        process = application.start(500, "wait")
        eventually(lambda before=before: len(stored(postgres_database)) > before, 60)
        between.swallow_answers()
        process.kill()
        application.take(process.communicate()[0])
        between.cut()
        between.pass_through()
    assert 0 == application.run(10, "exit")
    process = application.start(1, "wait")
    try:
        eventually(lambda: len(stored(postgres_database)) > len(application.logged), 40)
    finally:
        process.kill()
        application.take(process.communicate()[0])
    found = stored(postgres_database)
    assert {1} == set(found.values())
    assert set(application.logged) <= set(found)


@pytest.mark.fault
def test_an_application_starts_and_logs_while_the_server_is_down(
    postgres_database: Database, postgres_server: Postgres, tmp_path: Path
) -> None:
    """Nothing waits for the server; the next run finds it and delivers both."""
    application = Application(tmp_path, configuration(postgres_database, queue=False, shutdown_timeout=0.2))
    postgres_server.stop()
    assert 0 == application.run(2_000, "exit")
    postgres_server.start()
    process = application.start(10, "wait")
    try:
        eventually(lambda: 2_010 == len(stored(postgres_database)), 40)
    finally:
        process.kill()
        application.take(process.communicate()[0])
    assert Counter(application.logged) == stored(postgres_database)


def test_a_wrong_option_fails_when_the_configuration_is_loaded(postgres_database: Database) -> None:
    """``dictConfig`` stops with the option's name; the handler itself raises ``ConfigError``."""
    with pytest.raises(ValueError, match="postgres") as caught:
        logging.config.dictConfig(configuration(postgres_database, queue=False, batch_record=5))
    assert isinstance(caught.value.__cause__, ConfigError)
    assert "did you mean 'batch_records'" in str(caught.value.__cause__)


def test_the_example_works(postgres_database: Database, tmp_path: Path) -> None:
    """The documented configuration, with this test's server and folder put in."""
    text = (ROOT / "examples" / "postgres.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("port: 5432", f"port: {postgres_database.port}"),
        ("database: logs", f"database: {postgres_database.name}"),
        ("user: postgres", f"user: {postgres_database.user}"),
        ("logs/shop.jsonl", str(tmp_path / "shop.jsonl")),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "postgres.yaml"
    path.write_text(text)
    load_dict_config(path, environ={"POSTGRES_PASSWORD": postgres_database.password})
    logging.getLogger("shop").info("order placed", extra={"customer": "c-7"})
    (queue,) = logging.getLogger().handlers
    assert isinstance(queue, OTelQueueHandler)
    assert queue.stop(30)
    assert [("order placed", "c-7")] == postgres_database.execute("SELECT body, customer FROM otel_logs")
    assert [("order placed",)] == postgres_database.execute("SELECT body FROM otel_logs_trace")


def test_a_handler_is_inert_and_hides_secrets(postgres_database: Database) -> None:
    """Making one connects to nothing; neither it nor its report shows the password."""
    handler = PostgresHandler(**keywords(postgres_database, password="hunter2"))
    assert "hunter2" not in repr(handler) + repr(handler.options) + repr(handler.health()) + repr(
        handler.identity
    )
    handler.close()


def test_a_handler_delivers_in_this_process(postgres_database: Database) -> None:
    """Attached to a logger, flushed with a deadline, and stopped."""
    handler = PostgresHandler(**keywords(postgres_database))
    logger = logging.getLogger("tests.postgres")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    for number in range(100):
        logger.info("order %d", number, extra={"number": number})
    assert handler.flush(60)
    assert Counter(range(100)) == stored(postgres_database)
    logger.removeHandler(handler)
    assert handler.stop(30)
    handler.close()
