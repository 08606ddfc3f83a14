"""A target that changes under us: nothing is lost, it is said, and delivery resumes by itself."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import (
    ListSource,
    batch,
    expected,
    frame,
    keywords,
    options,
    origin,
    payload,
    uids,
)
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]


def settled(worker: DestinationWorker, source: ListSource) -> None:
    """Wait until the source is settled."""
    eventually(lambda: source.saved == source.head(), 60)
    assert worker.stop(time.monotonic() + 30)


def fails_with(worker: DestinationWorker, text: str) -> None:
    """Wait until the report shows an error with this text."""
    eventually(lambda: text in str(worker.snapshot()["last_error"]), 60)


@contextmanager
def writer(database: Database) -> Iterator[tuple[str, str]]:
    """An account that may write to both tables, and its password."""
    role, password = f"writer_{database.name}", "w"
    database.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON otel_logs, otel_logs_offsets TO {role}"
        database.execute(f"{grant}; GRANT USAGE ON SEQUENCE otel_logs_id_seq TO {role}")
        yield role, password
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_server_that_becomes_read_only(
    make: Make, run: Run, postgres_server: Postgres, postgres_database: Database
) -> None:
    """As after a failover: what comes meanwhile waits."""
    source = ListSource([frame(1)])
    worker = run(make(), source)
    eventually(lambda: source.saved == source.head(), 60)
    switch = f"ALTER DATABASE {postgres_database.name} SET default_transaction_read_only = "
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'otel_stdlib'"
    elsewhere = postgres_server.database()  # a session here would be read-only itself
    elsewhere.execute(f"{switch} on; {end}")
    source.extend([frame(2), frame(3)])
    fails_with(worker, "read-only")
    elsewhere.execute(f"{switch} off; {end}")
    settled(worker, source)
    assert expected(source) == uids(postgres_database)


def test_after_a_failover_the_connection_is_chosen_anew(
    make: Make, run: Run, postgres_node: Callable[..., Postgres]
) -> None:
    """The old primary only reads and the connection to it still works: the next one leads to the new primary."""
    old, new = postgres_node(), postgres_node()
    proxy = Proxy(old.host, old.port)
    try:
        source = ListSource([frame(1)])
        through = dataclasses.replace(old.database(), host=proxy.host, port=proxy.port)
        worker = run(make(through), source)
        eventually(lambda: source.saved == source.head(), 60)
        new.database().execute(f"ALTER ROLE {old.user} PASSWORD '{old.password}'")
        old.database().execute("ALTER SYSTEM SET default_transaction_read_only = on")
        old.database().execute("SELECT pg_reload_conf()")
        proxy.target(new.host, new.port)
        source.extend([frame(2), frame(3)])
        settled(worker, source)
        primary = dataclasses.replace(new.database(), password=old.password)
        assert expected(ListSource(source.frames[1:])) == uids(primary)
    finally:
        proxy.close()


def test_of_several_hosts_the_one_that_can_be_written_to(
    make: Make, run: Run, postgres_node: Callable[..., Postgres]
) -> None:
    """``target_session_attrs`` is asked again as soon as the server that we have only reads."""
    old, new = postgres_node(), postgres_node()
    new.database().execute(f"ALTER ROLE {old.user} PASSWORD '{old.password}'")
    both = f"host={old.host},{new.host} port={old.port},{new.port} target_session_attrs=read-write"
    source = ListSource([frame(1)])
    worker = run(make(old.database(), dsn=both, host=None, port=None), source)
    eventually(lambda: source.saved == source.head(), 60)
    old.database().execute("ALTER SYSTEM SET default_transaction_read_only = on")
    old.database().execute("SELECT pg_reload_conf()")
    source.extend([frame(2), frame(3)])
    settled(worker, source)
    assert expected(ListSource(source.frames[1:])) == uids(
        dataclasses.replace(new.database(), password=old.password)
    )


@pytest.mark.parametrize("table", ["otel_logs", "otel_logs_offsets"])
def test_row_level_security_is_named_and_waited_for(
    make: Make, run: Run, postgres_database: Database, table: str
) -> None:
    """COPY does not work under it, whatever the policy says: the report has what helps."""
    make().open()
    with writer(postgres_database) as (role, password):
        source = ListSource([frame(1)])
        target = make(user=role, password=password)
        letters = DeadLetterFile(None, target.identity)
        worker = run(target, source, letters=letters)
        eventually(lambda: source.saved == source.head(), 60)
        postgres_database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        source.extend([frame(2)])
        fails_with(worker, f"row-level security applies to this account in {table}")
        postgres_database.execute(f"ALTER ROLE {role} BYPASSRLS")
        settled(worker, source)
        assert [] == list(letters.read())
        assert expected(source) == uids(postgres_database)


def test_a_probe_finds_a_read_only_server(make: Make, postgres_database: Database) -> None:
    """A breaker does not close for a server that only reads."""
    target = make()
    target.probe()
    postgres_database.execute(
        f"ALTER DATABASE {postgres_database.name} SET default_transaction_read_only = on"
    )
    target.close()
    with pytest.raises(RetryableError, match="read-only"):
        target.probe()


@pytest.mark.parametrize("tables", ["otel_logs", "otel_logs_offsets", "otel_logs, otel_logs_offsets"])
def test_a_dropped_table_is_made_again(
    make: Make, run: Run, postgres_database: Database, tables: str
) -> None:
    """What was in it is gone by its owner's will; what comes after is stored, once."""
    source = ListSource([frame(n) for n in range(1, 11)])
    worker = run(make(), source)
    eventually(lambda: source.saved == source.head(), 60)
    before = uids(postgres_database)
    postgres_database.execute(f"DROP TABLE {tables}")
    source.extend(frame(n) for n in range(11, 21))
    settled(worker, source)
    kept = before if tables == "otel_logs_offsets" else {}
    found = uids(postgres_database)
    later = ListSource(source.frames[10:])
    assert expected(later) + expected(ListSource(source.frames[:10] if kept else [])) == found


def test_a_right_that_is_revoked(make: Make, run: Run, postgres_database: Database) -> None:
    """An account that may not insert any more: the message says which right, and records wait."""
    make().open()
    with writer(postgres_database) as (role, password):
        source = ListSource([frame(1)])
        worker = run(make(user=role, password=password), source)
        eventually(lambda: source.saved == source.head(), 60)
        postgres_database.execute(f"REVOKE INSERT ON otel_logs FROM {role}")
        source.extend([frame(2)])
        fails_with(worker, "42501")
        postgres_database.execute(f"GRANT INSERT ON otel_logs TO {role}")
        settled(worker, source)
        assert expected(source) == uids(postgres_database)


def test_without_create_table_a_missing_table_is_waited_for(
    make: Make, run: Run, postgres_database: Database
) -> None:
    """The message names the table and the option; once somebody has made it, delivery begins."""
    source = ListSource([frame(1)])
    worker = run(make(create_table=False), source)
    fails_with(worker, "'create_table' is off")
    make().open()
    settled(worker, source)
    assert expected(source) == uids(postgres_database)


def test_a_poison_row_goes_to_the_dead_letters(make: Make, run: Run, postgres_database: Database) -> None:
    """A row that the table refuses is found by halving, kept with the reason, and the rest is stored."""
    make().open()
    postgres_database.execute("ALTER TABLE otel_logs ADD CHECK (body <> 'poison')")
    bad = {17, 400, 401, 999}
    source = ListSource([frame(n, "poison" if n in bad else None) for n in range(1, 1_001)])
    target = make()
    letters = DeadLetterFile(None, target.identity)
    worker = run(target, source, letters=letters)
    settled(worker, source)
    found = uids(postgres_database)
    refused = ListSource([frame(n) for n in sorted(bad)])
    assert expected(source) - expected(refused) == found
    kept = {letter["uid"]: letter["reason"] for letter in letters.read()}
    assert set(expected(refused)) == set(kept)
    assert all("otel_logs_body_check" in reason and "23514" in reason for reason in kept.values())


def test_a_frame_that_holds_no_record_is_a_poison_row(make: Make) -> None:
    """Bytes that are no JSON, whatever is done to them, are refused for good."""
    target = make()
    target.open()
    deep = payload(2, "a\0b")[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b","
    for line in (b"no record", deep):
        with pytest.raises(PermanentError, match="cannot be read"):
            target.deliver(batch([frame(1), frame(2, line=line)]))
    assert target.deliver(batch([frame(1)])) is None


def test_a_column_that_must_be_filled_is_named(make: Make, postgres_database: Database) -> None:
    """Not one record is put to the dead letters for a column that nobody could fill."""
    make().open()
    postgres_database.execute("ALTER TABLE otel_logs ADD COLUMN tenant integer NOT NULL")
    with pytest.raises(RetryableError, match="tenant"):
        make().open()


@pytest.mark.parametrize("mode", ["transaction", "statement-like reuse"])
def test_through_a_pooler_in_transaction_mode(
    make: Make, run: Run, pgbouncer: Callable[..., PgBouncer], postgres_database: Database, mode: str
) -> None:
    """Two deliverers share server connections; the pooler's and the server's ends cost nothing."""
    settings = {} if mode == "transaction" else {"default_pool_size": "1", "server_lifetime": "1"}
    between = pgbouncer(settings).through(postgres_database)
    sources = [ListSource([frame(n) for n in range(1, 2_001)], origin(name)) for name in "AB"]
    workers = [run(make(between, batch_records=100, partition="daily", views=True), s) for s in sources]
    for worker, source in zip(workers, sources, strict=True):
        settled(worker, source)
    assert expected(*sources) == uids(postgres_database)


def test_tls_is_verified_unless_said_otherwise(
    postgres_node: Callable[..., Postgres], authority: Any
) -> None:
    """A server whose authority is not known is refused by verify-full, and taken with its certificate."""
    database = postgres_node(tls=authority).database()
    given: dict[str, Any] = keywords(database)
    bare = PostgresDestination(options(database, sslmode="verify-full", sslrootcert="system"))
    with pytest.raises(RetryableError, match="certificate"):
        bare.open()
    bare.close()
    good = PostgresDestination(options(database, **{**given, "sslrootcert": database.sslrootcert}))
    good.open()
    assert good.deliver(batch([frame(1)])) is None
    good.close()
