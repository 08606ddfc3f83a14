"""A server that is slow, or held up by somebody's lock: waited for, never given up, each record once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from otel_stdlib.delivery.contract import Outcome, Verdict
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, batch, expected, frame, uids
from tests.handlers.postgres.test_faults import delivered, load
from tests.servers.postgres import Database
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

pytestmark = pytest.mark.fault


def slow_down(database: Database, seconds: float) -> None:
    """Every row of the table takes so long from now on."""
    body = f"BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END"
    database.execute(f"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    database.execute("CREATE TRIGGER slow BEFORE INSERT ON otel_logs FOR EACH ROW EXECUTE FUNCTION slow()")


def test_a_batch_that_takes_too_long_is_sent_in_parts(
    make: Make, run: Run, postgres_database: Database
) -> None:
    """A batch that never ends within the statement timeout is not sent whole for ever."""
    make().open()
    slow_down(postgres_database, 0.004)
    source = ListSource([frame(n) for n in range(1, 401)])
    worker = run(make(statement_timeout=0.4), source)
    eventually(lambda: "57014" in str(worker.snapshot()), 60)
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


def test_parts_that_are_stored_are_not_sent_again(make: Make, postgres_database: Database) -> None:
    """Each part moves the offset: what came before the part that failed stands."""
    # Thirty rows take three seconds, seven of them less than one, on a machine that stalls for another one too.
    target = make(statement_timeout=2.0)
    target.open()
    slow_down(postgres_database, 0.1)
    whole = batch([frame(n) for n in range(1, 31)])
    with pytest.raises(RetryableError, match="57014"):
        target.deliver(whole)
    assert uids(postgres_database) == {}
    postgres_database.execute("ALTER TABLE otel_logs ADD CHECK (body <> 'order 20 placed')")
    with pytest.raises(Exception, match="23514"):
        target.deliver(whole)
    assert 14 == len(uids(postgres_database))
    postgres_database.execute("ALTER TABLE otel_logs DROP CONSTRAINT otel_logs_body_check")
    stored, duplicate = Outcome(Verdict.STORED), Outcome(Verdict.DUPLICATE)
    assert [duplicate] * 14 + [stored] * 16 == target.deliver(whole)
    assert whole.end == target.position(whole.origin)


def test_a_wait_for_a_lock_makes_no_batch_smaller(make: Make, postgres_database: Database) -> None:
    """Only the server's pace does: behind a lock nothing of the batch was read."""
    target = make(statement_timeout=2.0)
    target.open()
    blocker = postgres_database.connect()
    whole = batch([frame(n) for n in range(1, 101)])
    try:
        with blocker.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE otel_logs IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(RetryableError, match="57014"):
                target.deliver(whole)
            cursor.execute("COMMIT")
    finally:
        blocker.close()
    assert {} == whole.memo
    assert target.deliver(whole) is None


def test_a_table_lock_only_delays(make: Make, run: Run, postgres_database: Database) -> None:
    """A lock on the table for longer than the statement timeout: retried until it is gone."""
    source = ListSource([frame(n) for n in range(1, 501)])
    target = make(statement_timeout=0.4)
    worker = run(target, source)
    eventually(lambda: source.saved == source.head(), 60)
    blocker = postgres_database.connect()
    try:
        with blocker.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE otel_logs IN ACCESS EXCLUSIVE MODE")
            source.extend(frame(n) for n in range(501, 1_001))
            eventually(lambda: worker.snapshot()["retried"] >= 1_000, 60)
            assert "57014" in str(worker.snapshot())
            cursor.execute("COMMIT")
    finally:
        blocker.close()
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


@pytest.mark.long
@pytest.mark.slow
def test_a_table_lock_of_thirty_seconds(make: Make, run: Run, postgres_database: Database) -> None:
    """The time that a careless migration takes, with records coming all the while."""
    source = ListSource([frame(1)])
    worker = run(make(statement_timeout=10), source)
    eventually(lambda: source.saved == source.head(), 60)
    locked = threading.Event()

    def migrate() -> None:
        with postgres_database.connect() as blocker, blocker.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE otel_logs IN ACCESS EXCLUSIVE MODE")
            locked.set()
            cursor.execute("SELECT pg_sleep(30); COMMIT")
        blocker.close()

    thread = threading.Thread(target=migrate)
    thread.start()
    assert locked.wait(60)
    held = source.saved
    with load(source, pause=0.02):
        eventually(lambda: worker.snapshot()["retried"], 60)
        assert held == source.saved
        thread.join(40)
    delivered(worker, source, timeout=60)
    assert expected(source) == uids(postgres_database)
