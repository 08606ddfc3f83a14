"""A table that refuses row after row, by the real server: an outage, or bad rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_stdlib.delivery.contract import STORED, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.guard import REFUSALS
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, batch, expected, frame, uids
from tests.servers.postgres import Database
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

TRIGGER = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {condition} RAISE EXCEPTION 'audit of % is not ready', NEW.body; {end} RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON otel_logs FOR EACH ROW EXECUTE FUNCTION refuse()"""


def trigger(database: Database, condition: str = "", end: str = "") -> None:
    """One that raises, on every row or where the condition holds."""
    database.execute(TRIGGER.format(condition=condition, end=end))


def test_a_trigger_that_refuses_everything_is_waited_for(
    postgres_database: Database, make: Make, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few records are given up before that is seen; the others wait, and are stored once."""
    target = make()
    target.open()
    trigger(postgres_database)
    letters = DeadLetterFile(None, target.identity)
    source = ListSource(frame(n) for n in range(1, 1_001))
    worker = run(target, source, letters=letters)
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
    snapshot = worker.snapshot()
    assert snapshot["failing"]
    assert "is not ready" in snapshot["last_error"]
    assert "wait in the spool" in capsys.readouterr().err
    assert snapshot["rejected"] < REFUSALS
    assert uids(postgres_database) == {}
    postgres_database.execute("DROP TRIGGER refuse ON otel_logs")
    eventually(lambda: source.saved >= source.head(), 60)
    given_up = [letter["uid"] for letter in letters.read()]
    assert len(given_up) == worker.snapshot()["rejected"] < REFUSALS
    wanted = expected(source)
    for uid in given_up:
        del wanted[uid]
    assert uids(postgres_database) == wanted


def test_a_long_run_of_bad_rows_does_not_stop_the_others(
    postgres_database: Database, make: Make, run: Run
) -> None:
    """A row beyond the run is tried and rolled back; then the bad ones are dead letters, and the good ones stored."""
    target = make()
    target.open()
    trigger(postgres_database, "IF NEW.body LIKE 'bad%' THEN", "END IF;")
    letters = DeadLetterFile(None, target.identity)
    source = ListSource(frame(n, f"bad {n}" if n <= 700 else None) for n in range(1, 1_001))
    worker = run(target, source, letters=letters)
    eventually(lambda: source.saved >= source.head(), 60)
    assert worker.snapshot()["rejected"] == 700
    assert worker.snapshot()["circuit_breaker"] == "closed"
    wanted = expected(source)
    for letter in letters.read():
        del wanted[letter["uid"]]
    assert len(wanted) == 300
    assert uids(postgres_database) == wanted


def test_trying_a_row_out_stores_nothing(postgres_database: Database, make: Make) -> None:
    """Neither the row nor a position; what only a COMMIT would check is checked."""
    target = make()
    target.open()
    one = batch([frame(5)])
    assert target.try_out(one) == STORED
    trigger(postgres_database)
    refused = target.try_out(one)
    assert refused.verdict is Verdict.REJECTED
    assert "is not ready" in refused.reason
    postgres_database.execute("DROP TRIGGER refuse ON otel_logs")
    postgres_database.execute(
        "CREATE TABLE known (id bigint PRIMARY KEY); ALTER TABLE otel_logs ADD COLUMN of bigint DEFAULT 7 "
        "REFERENCES known DEFERRABLE INITIALLY DEFERRED"
    )
    assert target.try_out(one).verdict is Verdict.REJECTED
    assert uids(postgres_database) == {}
    assert target.position(one.origin) is None
    postgres_database.execute("ALTER TABLE otel_logs RENAME TO elsewhere")
    with pytest.raises(RetryableError):
        target.try_out(one)
