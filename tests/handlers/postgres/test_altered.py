"""A table that is changed while a handler runs: what comes next follows the rules that a fresh process has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, expected, frame, uids
from tests.handlers.postgres.test_target import fails_with, settled
from tests.servers.postgres import Database
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

_TABLE = "ALTER TABLE otel_logs"
_COLUMN = f"{_TABLE} ALTER COLUMN"
_SWAP = (
    "BEGIN; CREATE TABLE otel_logs_new (LIKE otel_logs INCLUDING ALL); ALTER TABLE otel_logs RENAME TO otel_logs_old;"
    " ALTER TABLE otel_logs_new RENAME TO otel_logs; COMMIT"
)
#: What is done, and the count of what a query finds afterwards of the 50 new records.
STORED = {
    "a shorter severity": (
        f"{_COLUMN} severity_text TYPE varchar(3) USING left(severity_text, 3)",
        "severity_text = 'INF'",
    ),
    "a shorter body": (f"{_COLUMN} body TYPE varchar(8) USING left(body, 8)", "length(body) = 8"),
    "a shorter trace id": (
        f"{_COLUMN} trace_id TYPE varchar(8) USING left(trace_id, 8)",
        "length(trace_id) = 8",
    ),
    "a body of JSON": (f"{_COLUMN} body TYPE jsonb USING to_jsonb(body)", "jsonb_typeof(body) = 'string'"),
    "attributes as json": (f"{_COLUMN} attributes TYPE json", "attributes ->> 'number' IS NOT NULL"),
    "attributes as text": (f"{_COLUMN} attributes TYPE text", "attributes LIKE '%number%'"),
    "a small severity number": (f"{_COLUMN} severity_number TYPE smallint", "severity_number = 9"),
    "times without a zone": (f"{_COLUMN} timestamp TYPE timestamp", "timestamp IS NOT NULL"),
    "ids as uuid": (f"{_COLUMN} trace_id TYPE uuid USING trace_id::uuid", "trace_id IS NOT NULL"),
    "a column that is gone": (f"{_TABLE} DROP COLUMN span_id", "trace_id IS NOT NULL"),
    "a column of another name": (f"{_TABLE} RENAME COLUMN span_id TO span", "span IS NULL"),
    "a column with a default": (f"{_TABLE} ADD COLUMN tenant text NOT NULL DEFAULT 'x'", "tenant = 'x'"),
    "a new table in its place": (_SWAP, "true"),
    "a table that is renamed": (f"{_TABLE} RENAME TO otel_logs_old", "true"),
    "a table that is emptied": ("TRUNCATE otel_logs", "true"),
}
#: What is done, what the report says while records wait, and what someone does about it.
WAITS = {
    "a column that must be filled": (
        [f"{_TABLE} ADD COLUMN tenant text NOT NULL DEFAULT 'x'", f"{_COLUMN} tenant DROP DEFAULT"],
        "wants values for tenant",
        f"{_COLUMN} tenant SET DEFAULT 'x'",
    ),
    "a new table that loses its sequence with the old one": (
        [_SWAP, "DROP TABLE otel_logs_old CASCADE"],
        "wants values for id",
        "CREATE SEQUENCE another; ALTER TABLE otel_logs ALTER COLUMN id SET DEFAULT nextval('another')",
    ),
}


def _start(make: Make, run: Run) -> tuple[ListSource, DestinationWorker, DeadLetterFile]:
    """Fifty records, stored."""
    source = ListSource([frame(number) for number in range(1, 51)])
    target = make()
    letters = DeadLetterFile(None, target.identity)
    worker = run(target, source, letters=letters)
    eventually(lambda: source.saved == source.head(), 60)
    return source, worker, letters


@pytest.mark.parametrize("change", STORED)
def test_what_a_changed_table_takes_is_stored(
    make: Make, run: Run, postgres_database: Database, change: str
) -> None:
    """No record is refused for what the table was before."""
    source, worker, letters = _start(make, run)
    statement, condition = STORED[change]
    postgres_database.execute(statement)
    source.extend(frame(number) for number in range(51, 101))
    settled(worker, source)
    later = "attributes::jsonb ->> 'number' IN (SELECT generate_series(51, 100)::text)"
    found = postgres_database.execute(f"SELECT count(*) FROM otel_logs WHERE {condition} AND {later}")
    assert ([], 50) == (list(letters.read()), found[0][0])


@pytest.mark.parametrize("change", WAITS)
def test_records_wait_for_a_table_that_takes_none(
    make: Make, run: Run, postgres_database: Database, change: str
) -> None:
    """The report names the column, and once someone has changed it back every record is stored, once."""
    source, worker, letters = _start(make, run)
    statements, said, remedy = WAITS[change]
    kept = 0 if "new table" in change else 50
    for statement in statements:
        postgres_database.execute(statement)
    source.extend(frame(number) for number in range(51, 101))
    fails_with(worker, said)
    postgres_database.execute(remedy)
    settled(worker, source)
    assert [] == list(letters.read())
    assert expected(ListSource(source.frames[50 - kept :])) == uids(postgres_database)


def test_the_table_is_looked_at_once_for_a_batch(
    make: Make, run: Run, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poison row is found by halving, which must not ask for the table's columns at every half."""
    from otel_stdlib.handlers.postgres import destination

    looks = []

    def counted(*given: object) -> object:
        looks.append(given)
        return prepare(*given)  # type: ignore[arg-type]

    prepare = destination.prepare
    monkeypatch.setattr(destination, "prepare", counted)
    make().open()
    postgres_database.execute("ALTER TABLE otel_logs ADD CHECK (body <> 'poison')")
    looks.clear()
    source = ListSource([frame(number, "poison" if number == 77 else None) for number in range(1, 201)])
    worker = run(make(), source)
    settled(worker, source)
    assert 2 == len(looks), "once to begin with, once for the refusal"
    assert 199 == sum(uids(postgres_database).values())
