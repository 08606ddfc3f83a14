"""Outages that are said once and end by themselves; the breaker in front of a server that is away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers import PostgresHandler
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, expected, frame, keywords, uids
from tests.handlers.postgres.test_faults import delivered
from tests.handlers.postgres.test_partitions import dated, ns, utc
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]
Proxies = Callable[[str, int], Proxy]
Log = Callable[..., PostgresHandler]

pytestmark = pytest.mark.fault


def lines(capsys: pytest.CaptureFixture[str], text: str) -> list[str]:
    """What was said with this text."""
    return [line for line in capsys.readouterr().err.splitlines() if text in line]


def named(make: Make, database: Database, **options: Any) -> PostgresDestination:
    """A destination of a name of its own: what is said once is said once for each name."""
    target = make(max_retries=2, **options)
    target.name = f"postgres {database.name}"
    return target


def test_a_read_only_server_is_said_once(
    make: Make,
    run: Run,
    postgres_server: Postgres,
    postgres_database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Many failed tries, one line that says what is wrong; then delivery resumes."""
    source = ListSource([frame(1)])
    worker = run(named(make, postgres_database), source)
    eventually(lambda: source.saved == source.head(), 60)
    switch = f"ALTER DATABASE {postgres_database.name} SET default_transaction_read_only = "
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'otel_stdlib'"
    elsewhere = postgres_server.database()
    elsewhere.execute(f"{switch} on; {end}")
    source.extend(frame(n) for n in range(2, 102))
    eventually(lambda: "25006" in str(worker.snapshot()["last_error"]), 60)
    before = worker.snapshot()["retried"]
    eventually(lambda: worker.snapshot()["retried"] >= before + 500, 60)
    elsewhere.execute(f"{switch} off; {end}")
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)
    said = lines(capsys, "does not take records")
    assert 1 == len(said)
    assert "the server is read-only" in said[0]


def test_a_right_that_is_revoked_is_said_once(
    make: Make, run: Run, postgres_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many failed tries, one line with the server's own words; then delivery resumes."""
    role = f"once_{postgres_database.name}"
    make().open()
    postgres_database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'w'")
    try:
        tables = f"GRANT SELECT, INSERT, UPDATE, DELETE ON otel_logs, otel_logs_offsets TO {role}"
        postgres_database.execute(f"{tables}; GRANT USAGE ON SEQUENCE otel_logs_id_seq TO {role}")
        source = ListSource([frame(1)])
        worker = run(named(make, postgres_database, user=role, password="w"), source)
        eventually(lambda: source.saved == source.head(), 60)
        postgres_database.execute(f"REVOKE INSERT ON otel_logs FROM {role}")
        source.extend(frame(n) for n in range(2, 102))
        eventually(lambda: "42501" in str(worker.snapshot()["last_error"]), 60)
        before = worker.snapshot()["retried"]
        eventually(lambda: worker.snapshot()["retried"] >= before + 500, 60)
        postgres_database.execute(f"GRANT INSERT ON otel_logs TO {role}")
        delivered(worker, source)
        assert expected(source) == uids(postgres_database)
    finally:
        postgres_database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    said = lines(capsys, "does not take records")
    assert 1 == len(said)
    assert "permission denied" in said[0]


@pytest.mark.parametrize("create_table", [True, False])
def test_a_dropped_table_is_said_once(
    make: Make,
    run: Run,
    postgres_database: Database,
    capsys: pytest.CaptureFixture[str],
    create_table: bool,
) -> None:
    """Made again at once, or waited for until somebody makes it: one line either way."""
    make().open()
    source = ListSource([frame(1)])
    worker = run(named(make, postgres_database, create_table=create_table), source)
    eventually(lambda: source.saved == source.head(), 60)
    postgres_database.execute("ALTER TABLE otel_logs RENAME TO away")
    source.extend(frame(n) for n in range(2, 102))
    if not create_table:
        eventually(lambda: "'create_table' is off" in str(worker.snapshot()["last_error"]), 60)
        tried = worker.snapshot()["last_error_time"]
        eventually(lambda: worker.snapshot()["last_error_time"] > tried + 1, 60)
        postgres_database.execute("ALTER TABLE away RENAME TO otel_logs")
    delivered(worker, source)
    first = ListSource(source.frames[:1])
    assert expected(source) == uids(postgres_database) + (
        expected(first) if create_table else type(expected(first))()
    )
    said = lines(capsys, "otel_logs")
    assert 1 == len(said), said
    assert ("it is made again" if create_table else "'create_table' is off") in said[0]


def test_a_missing_partition_is_waited_for(
    make: Make, run: Run, postgres_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever keeps the partitions forgot one: it is named, and its records wait for it.

    Times that nobody makes partitions for are dead letters.
    """
    make(partition="daily").open()
    postgres_database.execute("DROP TABLE otel_logs_default")
    part = "CREATE TABLE mine_{0} PARTITION OF otel_logs FOR VALUES FROM ('2030-05-{0}Z') TO ('2030-05-{1}Z')"
    postgres_database.execute(part.format(10, 11))
    times = [utc(2030, 5, 10), utc(1970, 1, 2), utc(2030, 5, 11, 7), utc(2030, 5, 10, 1), utc(2036, 1, 1)]
    source = ListSource(
        frame(n, line=dated(n, time))._replace(time_ns=ns(time)) for n, time in enumerate(times, 1)
    )
    target = named(make, postgres_database, create_table=False)
    target._now_ns = lambda: ns(utc(2030, 5, 11, 8))
    letters = DeadLetterFile(None, target.identity)
    worker = run(target, source, letters=letters)
    eventually(lambda: worker.snapshot()["failing"], 60)
    eventually(lambda: len(uids(postgres_database)) == 1, 60)
    tried = worker.snapshot()["last_error_time"]
    eventually(lambda: worker.snapshot()["last_error_time"] > tried + 1, 60)
    assert "make the partition for 2030-05-11 07:00:00" in worker.snapshot()["last_error"]
    assert 0 == source.saved
    postgres_database.execute(part.format(11, 12))
    delivered(worker, source)
    stored = ListSource([source.frames[0], *source.frames[2:4]])
    assert expected(stored) == uids(postgres_database)
    assert set(expected(source)) - set(expected(stored)) == {letter["uid"] for letter in letters.read()}
    said = lines(capsys, "does not take records")
    assert 1 == len(said)
    assert "make the partition for 2030-05-11 07:00:00" in said[0]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Handlers that are stopped at the end."""
    made: list[PostgresHandler] = []

    def start(database: Database, **options: Any) -> PostgresHandler:
        handler = PostgresHandler(spool={"directory": str(tmp_path)}, **keywords(database, **options))
        made.append(handler)
        return handler

    yield start
    for handler in made:
        handler.stop(5.0)


def test_the_breaker_opens_in_an_outage_and_closes_after_it(
    log: Log, proxy: Proxies, postgres_database: Database
) -> None:
    """Failures in a row open it; health checks fail while the server is away, then one lets records through."""
    between = proxy(postgres_database.host, postgres_database.port)
    handler = log(
        postgres_database.through(between.port),
        circuit_breaker_threshold=3,
        circuit_breaker_timeout=600.0,
        health_check_interval=0.3,
    )
    logger = logging.Logger("shop.orders", logging.INFO)
    logger.addHandler(handler)

    def breaker() -> Any:
        return handler.health()["destinations"]["postgres"]["circuit_breaker"]

    logger.info("before")
    assert handler.flush(60)
    assert "closed" == breaker()
    between.refuse()
    between.cut()
    for number in range(50):
        logger.info("during %d", number)
    eventually(lambda: breaker() == "open", 60)
    # Every way back leads through a health check: the timeout is far away.
    between.deaf()
    between.listen()
    reached = between.traffic.connections
    between.wait_for(lambda traffic: traffic.connections > reached)
    between.cut()
    assert "open" == breaker()
    assert 1 == len(uids(postgres_database))
    between.pass_through()
    between.cut()
    assert handler.flush(60)
    assert "closed" == breaker()
    found = uids(postgres_database)
    assert (51, {1}) == (len(found), set(found.values()))


def test_a_half_open_breaker_opens_again(log: Log, proxy: Proxies, postgres_database: Database) -> None:
    """Its time is over and the server is still away: one try, and it is open for another time."""
    between = proxy(postgres_database.host, postgres_database.port)
    between.refuse()
    handler = log(
        postgres_database.through(between.port),
        circuit_breaker_threshold=2,
        circuit_breaker_timeout=0.2,
        health_check_interval=600.0,
    )
    logger = logging.Logger("shop.orders", logging.INFO)
    logger.addHandler(handler)
    logger.info("during")

    def state() -> Any:
        return handler.health()["destinations"]["postgres"]

    eventually(lambda: state()["circuit_breaker"] == "open", 60)
    for _ in range(3):
        tried = state()["last_error_time"]
        eventually(lambda tried=tried: state()["last_error_time"] > tried, 60)
        eventually(lambda: state()["circuit_breaker"] == "open", 60)
    between.listen()
    assert handler.flush(60)
    assert "closed" == state()["circuit_breaker"]
    assert 1 == len(uids(postgres_database))
