"""A configuration that is loaded again: what waits for a destination of the former one, which refuses it."""

from __future__ import annotations

import json
import logging
import logging.config
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
from tests.servers.postgres import Database
from tests.support import eventually

QUICK: dict[str, Any] = {
    "retry_delay": 0.1,
    "max_retry_delay": 0.5,
    "circuit_breaker_timeout": 0.5,
    "health_check_interval": 0.3,
}
RECORDS = 50


@pytest.fixture
def behind() -> Iterator[Callable[..., OTelQueueHandler]]:
    """Makes queue handlers, which are stopped at the end, the last one first."""
    made: list[OTelQueueHandler] = []

    def make(**options: Any) -> OTelQueueHandler:
        handler = OTelQueueHandler(**options)
        made.append(handler)
        return handler

    yield make
    for handler in reversed(made):
        handler.stop(5.0)


def write(handler: logging.Handler, text: str) -> None:
    """Some records, on one handler alone."""
    logger = logging.Logger("shop.orders", logging.INFO)
    logger.addHandler(handler)
    for number in range(RECORDS):
        logger.info("%s %d", text, number)


def state(handler: OTelQueueHandler, name: str) -> dict[str, Any]:
    """A destination's part of its health."""
    found: dict[str, Any] = handler.health()["destinations"][name]
    return found


def test_a_new_password_delivers_what_waited_for_it(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former configuration has the password of before: dictConfig's new handlers take its records over."""
    role = f"shop_{secrets.token_hex(4)}"
    name = postgres_database.name
    execute = postgres_database.execute
    execute(f"CREATE ROLE {role} LOGIN PASSWORD 'one'")
    execute(f"GRANT ALL ON SCHEMA public TO {role}")
    execute(f"GRANT ALL ON DATABASE {name} TO {role}")

    def configure(password: str) -> OTelQueueHandler:
        server = {"host": postgres_database.host, "port": postgres_database.port, "sslmode": "disable"}
        access = {"database": name, "user": role, "password": password}
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {
                    "pg": {"class": "otel_stdlib.handlers.PostgresHandler", **server, **access, **QUICK},
                    "queue": {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["pg"]},
                },
                "loggers": {"shop": {"level": "INFO", "propagate": False, "handlers": ["queue"]}},
            }
        )
        (handler,) = logging.getLogger("shop").handlers
        assert isinstance(handler, OTelQueueHandler)
        return handler

    def rows(text: str) -> int:
        found: int = execute("SELECT count(*) FROM otel_logs WHERE body LIKE %s", (f"{text}%",))[0][0]
        return found

    first = configure("one")
    try:
        write(first, "before")
        assert first.flush(60)
        execute(f"ALTER ROLE {role} PASSWORD 'two'")
        execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        write(first, "outage")
        eventually(lambda: state(first, "pg")["failing"], 60)
        assert 0 == rows("outage")
        second = configure("two")
        write(second, "after")
        assert second.flush(30)  # the former one alone would try for a minute
        assert [RECORDS] * 3 == [rows("before"), rows("outage"), rows("after")]
        report = state(second, "pg")
        assert (0, 0, False) == (report["lag_records"], report["retiring_records"], report["failing"])
        assert 0 == second.health()["retiring"]
        second.stop(10.0)
    finally:
        first.stop(10.0)
        logging.getLogger("shop").handlers.clear()
        execute(f"DROP OWNED BY {role} CASCADE")
        execute(f"DROP ROLE {role}")


def test_a_file_has_each_record_once(tmp_path: Path, behind: Callable[..., OTelQueueHandler]) -> None:
    """What the former ones could not write is part of the new one's health, and is written once."""
    folder = tmp_path / "logs"
    folder.write_text("in the way")
    spool = {"directory": str(tmp_path / "spools")}
    kept: list[OTelQueueHandler] = []
    for number in range(3):
        handler = behind(handlers=[JSONLFileHandler(filename=folder / "app.jsonl")], spool=spool)
        write(handler, f"of {number}")
        eventually(lambda handler=handler: state(handler, "jsonl")["failing"], 60)
        kept.append(handler)
        if number:
            kept[number - 1].close()
    last = kept[-1]
    report = state(last, "jsonl")
    assert report["failing"]
    assert 3 * RECORDS == report["lag_records"]
    assert not last.flush(0.2)
    eventually(lambda: 0 == last.health()["retiring"], 60)  # all of them are handed over
    eventually(lambda: 2 * RECORDS == state(last, "jsonl")["retiring_records"], 60)
    folder.unlink()
    assert last.flush(60)
    lines = (folder / "app.jsonl").read_text().splitlines()
    found = Counter(json.loads(line)["body"] for line in lines)
    assert Counter(f"of {number} {n}" for number in range(3) for n in range(RECORDS)) == found
    assert 0 == state(last, "jsonl")["retiring_records"]


def test_another_destination_takes_nothing_over(
    tmp_path: Path, behind: Callable[..., OTelQueueHandler]
) -> None:
    """Without a successor for its file the former configuration goes on by itself."""
    folder = tmp_path / "logs"
    folder.write_text("in the way")
    spool = {"directory": str(tmp_path / "spools")}
    former = behind(handlers=[JSONLFileHandler(filename=folder / "app.jsonl")], spool=spool)
    write(former, "former")
    eventually(lambda: state(former, "jsonl")["failing"], 60)
    other = behind(handlers=[JSONLFileHandler(filename=tmp_path / "other.jsonl")], spool=spool)
    write(other, "other")
    former.close()
    assert other.flush(60)
    assert 0 == state(other, "jsonl")["retiring_records"]
    assert 1 == former.health()["retiring"]
    folder.unlink()
    eventually(lambda: 0 == former.health()["retiring"], 60)
    assert RECORDS == len((folder / "app.jsonl").read_text().splitlines())
