"""Answers about rows, by the real PostgreSQL: refused, waited for when every row is refused, or stored all the same."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.guard import REFUSALS
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination
from otel_stdlib.spool.frame import Frame
from tests.handlers.postgres.support import ListSource, expected, frame, payload, uids
from tests.handlers.postgres.test_answers import QUICK
from tests.handlers.postgres.test_refusals import TRIGGER
from tests.proof.answers import LETTER, STORED, WAITS, rows_of
from tests.servers.postgres import Database, Postgres
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

ROWS = rows_of("PostgreSQL")
BAD = 42
_TABLE = "ALTER TABLE otel_logs"
_KNOWN = "CREATE TABLE known (id integer PRIMARY KEY)"


def trigger(how: str, *, all_rows: bool = False) -> str:
    """One that raises for each row, or for the bad one."""
    condition, end = ("", "") if all_rows else ("IF NEW.body = 'bad' THEN", "END IF;")
    text = TRIGGER.format(condition=condition, end=end)
    return text.replace("RAISE EXCEPTION 'audit of % is not ready', NEW.body", how)


class Refusal(NamedTuple):
    """What makes the table refuse the row of ``BAD``, and what that row is."""

    before: str = ""
    bad: Any = "bad"
    more: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    line: bytes | None = None


_LONG = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
_NO_TRACE = payload(BAD, "bad").replace(b'"trace_id":"%032x",' % BAD, b"")
REFUSED = {
    "23505_theirs": Refusal(
        "CREATE UNIQUE INDEX once ON otel_logs (ticket)",
        "bad",
        {"columns": {"ticket": "integer"}},
        {"ticket": 7},
    ),
    "23502_theirs": Refusal(f"{_TABLE} ALTER trace_id SET NOT NULL", line=_NO_TRACE),
    "23503_one": Refusal(
        f"{_KNOWN}; INSERT INTO known VALUES (7); {_TABLE} ADD FOREIGN KEY (ticket) REFERENCES known",
        "bad",
        {"columns": {"ticket": "integer"}},
        {"ticket": 8},
    ),
    "23514_one": Refusal(f"{_TABLE} ADD CHECK (body <> 'bad')"),
    "54000": Refusal("CREATE INDEX ON otel_logs (body)", _LONG),
    "22012": Refusal(f"{_TABLE} ADD share integer GENERATED ALWAYS AS (1 / (length(body) - 3)) STORED"),
    "P0001_one": Refusal(trigger("RAISE EXCEPTION 'no'")),
    "P0002_one": Refusal(trigger("RAISE no_data_found")),
    "42P01_one": Refusal(trigger("INSERT INTO audit VALUES (NEW.body)")),
    "own_code_one": Refusal(trigger("RAISE EXCEPTION 'no' USING ERRCODE = 'MY001'")),
}


def begun(
    make: Make, run: Run, database: Database, frames: Sequence[Frame], letters: Path, before: str, **more: Any
) -> tuple[DestinationWorker, ListSource]:
    """A delivery thread that finds the table as it is after a statement."""
    target = make(**QUICK, **more)
    target.name = f"postgres {database.name}"
    target.open()
    if before:
        database.execute(before)
    source = ListSource(frames)
    return run(target, source, letters=DeadLetterFile(letters, target.identity)), source


@pytest.mark.parametrize("key", REFUSED)
def test_a_row_is_refused(
    make: Make, run: Run, postgres_database: Database, tmp_path: Path, key: str
) -> None:
    """It is a dead letter with the reason; the others are stored, once."""
    row, case = ROWS[key], REFUSED[key]
    assert row.happens == LETTER
    frames = [frame(number, **({"ticket": 7} if key == "23503_one" else {})) for number in range(1, 101)]
    if key == "23505_theirs":
        frames[10] = frame(11, ticket=7)
    frames[BAD - 1] = frame(BAD, case.bad, case.line, **case.attributes)
    worker, source = begun(make, run, postgres_database, frames, tmp_path / "dead", case.before, **case.more)
    eventually(lambda: source.saved == source.head(), 60)
    assert worker.snapshot()["rejected"] == 1
    assert worker.snapshot()["circuit_breaker"] == "closed"
    assert expected(source) - expected(ListSource([frames[BAD - 1]])) == uids(postgres_database)
    (letter,) = (tmp_path / "dead").read_text().splitlines()
    assert row.reported in letter


ALL_REFUSED = {
    "23503_all": (
        f"{_KNOWN}; {_TABLE} ADD kind integer DEFAULT 1, ADD CONSTRAINT kinds FOREIGN KEY (kind) REFERENCES known",
        f"{_TABLE} DROP CONSTRAINT kinds",
    ),
    "23514_all": (f"{_TABLE} ADD CONSTRAINT nothing CHECK (body = '')", f"{_TABLE} DROP CONSTRAINT nothing"),
    "P0001_all": (trigger("RAISE EXCEPTION 'not ready'", all_rows=True), "DROP TRIGGER refuse ON otel_logs"),
    "42P01_all": (
        trigger("INSERT INTO audit VALUES (NEW.body)", all_rows=True),
        "CREATE TABLE audit (body text)",
    ),
    "own_code_all": (
        trigger("RAISE EXCEPTION 'not ready' USING ERRCODE = 'MY001'", all_rows=True),
        "DROP TRIGGER refuse ON otel_logs",
    ),
}


@pytest.mark.parametrize("key", ALL_REFUSED)
def test_records_wait_for_a_table_that_refuses_every_row(
    make: Make,
    run: Run,
    postgres_database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """Few are given up before that is seen. The others wait, and are stored once when the cause is gone."""
    row, (begin, end) = ROWS[key], ALL_REFUSED[key]
    assert row.happens == WAITS
    frames = [frame(number) for number in range(1, 201)]
    worker, source = begun(make, run, postgres_database, frames, tmp_path / "dead", begin)
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
    assert worker.snapshot()["failing"]
    assert row.reported in worker.snapshot()["last_error"]
    assert row.reported in capsys.readouterr().err
    postgres_database.execute(end)
    eventually(lambda: source.saved == source.head(), 60)
    given_up = worker.snapshot()["rejected"]
    assert given_up < REFUSALS
    stored = uids(postgres_database)
    assert set(stored.values()) == {1}
    assert len(stored) == 200 - given_up


Setup = Callable[[Postgres, Database], object]


def sql(statement: str) -> Setup:
    """A statement."""
    return lambda server, database: database.execute(statement)


def _session(database: Database) -> int:
    """The server's process of the destination's session."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'otel_stdlib' AND datname = %s"
    ((pid,),) = database.execute(query, (database.name,))
    return int(pid)


def crash(server: Postgres, database: Database) -> None:
    """A process of the server's is killed: it ends all sessions and recovers."""
    server.kill_backend(_session(database))
    eventually(lambda: _answers(database), 60)


def _answers(database: Database) -> bool:
    try:
        return bool(database.execute("SELECT 1"))
    except psycopg2.OperationalError:
        return False


class Stored(NamedTuple):
    """What happens while a handler runs, the records after it, and the count of what a query finds then."""

    step: Setup = sql("SELECT 1")
    attributes: dict[str, Any] = {}
    body: Any = None
    where: str = "true"


_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {}"
STORED_ALL_THE_SAME = {
    "22021": Stored(body="a\0b", where="body = 'a\ufffdb'"),
    "22003_theirs": Stored(attributes={"ticket": 10**18}, where="ticket IS NULL"),
    "22P02": Stored(attributes={"ticket": "seven"}, where="ticket IS NULL"),
    "22001": Stored(
        sql(f"{_TABLE} ALTER body TYPE varchar(3) USING left(body, 3)"), where="length(body) = 3"
    ),
    "42703": Stored(sql(f"{_TABLE} DROP COLUMN span_id")),
    "42804": Stored(sql(f"{_TABLE} ALTER trace_id TYPE uuid USING trace_id::uuid")),
    "42P01": Stored(sql("DROP TABLE otel_logs, otel_logs_offsets")),
    "57P01": Stored(lambda server, database: database.execute(_END.format(_session(database)))),
    "57P02": Stored(crash),
}


@pytest.mark.parametrize("key", STORED_ALL_THE_SAME)
def test_records_are_stored_all_the_same(
    make: Make,
    run: Run,
    postgres_server: Postgres,
    postgres_database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """Once, by this process and without a person."""
    row, case = ROWS[key], STORED_ALL_THE_SAME[key]
    assert row.happens == STORED
    more = {"columns": {"ticket": "integer"}} if case.attributes else {}
    worker, source = begun(make, run, postgres_database, [frame(1)], tmp_path / "dead", "", **more)
    eventually(lambda: source.saved == source.head(), 60)
    case.step(postgres_server, postgres_database)
    later = [frame(number, case.body, **case.attributes) for number in range(2, 52)]
    source.extend(later)
    eventually(lambda: source.saved == source.head(), 60)
    assert worker.snapshot()["rejected"] == 0
    ((count,),) = postgres_database.execute(
        f"SELECT count(*) FROM otel_logs WHERE {case.where} AND attributes ->> 'number' <> '1'"
    )
    assert count == 50
    found = uids(postgres_database)
    assert {found[uid] for uid in expected(ListSource(later, source.origin))} == {1}
    assert row.reported in capsys.readouterr().err


@pytest.fixture
def latin(postgres_server: Postgres) -> Iterator[Database]:
    """A database that is not in UTF-8."""
    name = f"latin_{os.urandom(6).hex()}"
    postgres_server.database().execute(
        f"CREATE DATABASE {name} ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    yield postgres_server.database(name)
    postgres_server.database().execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_character_that_the_database_does_not_have(
    make: Make, run: Run, latin: Database, tmp_path: Path
) -> None:
    """Its record is a dead letter; the others are stored, once."""
    row = ROWS["22P05"]
    assert row.happens == LETTER
    source = ListSource([frame(number, "→" if number == BAD else "é") for number in range(1, 101)])
    target = make(latin, **QUICK)
    worker = run(target, source, letters=DeadLetterFile(tmp_path / "dead", target.identity))
    eventually(lambda: source.saved == source.head(), 60)
    assert worker.snapshot()["rejected"] == 1
    assert expected(source) - expected(ListSource([source.frames[BAD - 1]])) == uids(latin)
    assert row.reported in (tmp_path / "dead").read_text()
    worker.stop(time.monotonic() + 5)
    target.close()
