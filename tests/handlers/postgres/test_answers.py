"""Answers about the server, the account and the table, by the real PostgreSQL: records wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, expected, frame, uids
from tests.proof.answers import WAITS, rows_of
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]

ROWS = rows_of("PostgreSQL")
QUICK: dict[str, Any] = {
    "max_retries": 2,
    "circuit_breaker_threshold": 2,
    "circuit_breaker_timeout": 0.1,
    "health_check_interval": 0.1,
}
_TABLE = "ALTER TABLE otel_logs"
_ID = f"{_TABLE} ALTER COLUMN id TYPE"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'otel_stdlib' AND datname = '{db}'"
)


@dataclass
class Place:
    """A database with both tables, and an account that may write to them and no more."""

    server: Postgres
    database: Database
    proxy: Callable[[str, int], Proxy]
    pgbouncer: Callable[..., PgBouncer]
    #: The destination's last error when the situation is to end.
    advice: str = ""
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """The account."""
        return f"writer_{self.database.name}"

    def execute(self, sql: str) -> None:
        """By the superuser; ``{db}`` and ``{role}`` are put in."""
        names = {"db": self.database.name, "role": self.role}
        by = self.server.database() if "DATABASE" in sql or sql is _END else self.database
        by.execute(sql.format(**names))


@pytest.fixture
def place(
    postgres_server: Postgres,
    postgres_database: Database,
    proxy: Callable[[str, int], Proxy],
    pgbouncer: Callable[..., PgBouncer],
    make: Make,
) -> Iterator[Place]:
    """A place that is tidied up."""
    found = Place(postgres_server, postgres_database, proxy, pgbouncer)
    make().open()
    found.execute("CREATE ROLE {role} LOGIN PASSWORD 'w'")
    found.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON otel_logs, otel_logs_offsets TO {role}")
    found.execute("GRANT USAGE ON SEQUENCE otel_logs_id_seq TO {role}")
    yield found
    if "session" in found.kept:
        found.kept["session"].close()
    postgres_server.ensure_running()
    found.execute("DROP OWNED BY {role}; DROP ROLE {role}")


Step = Callable[[Place], object]


def sql(*statements: str) -> Step:
    """Statements."""

    def do(place: Place) -> None:
        for statement in statements:
            place.execute(statement)

    return do


def again(*statements: str) -> Step:
    """Statements, and every connection of the destination ends: what holds for an account is asked at its login."""
    return sql(*statements, _END)


def lock(place: Place) -> None:
    """Another session holds the table."""
    place.kept["session"] = session = place.database.connect()
    session.autocommit = False
    session.cursor().execute("LOCK TABLE otel_logs IN ACCESS EXCLUSIVE MODE")


def unlock(place: Place) -> None:
    """And lets it go."""
    place.kept["session"].close()


def shut_down(place: Place) -> None:
    """The server takes no new connection: it waits for the last one of others to end."""
    place.kept["session"] = place.database.connect()
    again()(place)
    os.kill(place.server.pid, signal.SIGTERM)


def start(place: Place) -> None:
    """It ends, and comes back."""
    place.kept["session"].close()
    eventually(lambda: not place.server.running, 60)
    place.server.ensure_running()


def behind_proxy(place: Place) -> dict[str, Any]:
    """The destination's way is a proxy's."""
    place.kept["proxy"] = between = place.proxy(place.database.host, place.database.port)
    return {"host": between.host, "port": between.port}


def refuse(place: Place) -> None:
    """The proxy takes no connection."""
    place.kept["proxy"].refuse()
    place.kept["proxy"].cut()


def behind_pooler(place: Place) -> dict[str, Any]:
    """The destination's way is a pooler's, with one connection and little patience."""
    settings = {"default_pool_size": "1", "query_wait_timeout": "1"}
    place.kept["pooler"] = between = place.pgbouncer(settings)
    through = between.through(place.database)
    return {"host": through.host, "port": through.port, "user": through.user, "password": through.password}


def hold_pool(place: Place) -> None:
    """Another client has the pooler's only connection."""
    session = place.kept["pooler"].through(place.database).connect()
    place.kept["session"] = session
    session.autocommit = False
    eventually(lambda: _asked(session), 60)


def _asked(session: Any) -> bool:
    session.cursor().execute("SELECT 1")
    return True


def as_advised(place: Place) -> None:
    """Do what the report says; and the rows that were in the way go."""
    place.execute(place.advice[place.advice.index("SELECT setval(") :])
    place.execute("DELETE FROM otel_logs WHERE attributes IS NULL")


class State(NamedTuple):
    """How a situation begins and ends, and more options of the destination."""

    begin: Step
    end: Step
    more: Callable[[Place], dict[str, Any]] = lambda place: {}


WAITING: dict[str, State] = {
    "23505_ours": State(sql("INSERT INTO otel_logs (id) SELECT generate_series(2, 100000)"), as_advised),
    "22003_ours": State(
        sql(f"{_ID} smallint", "SELECT setval('otel_logs_id_seq', 32767)"), sql(f"{_ID} bigint")
    ),
    "2200H": State(
        sql("ALTER SEQUENCE otel_logs_id_seq MAXVALUE 2"), sql("ALTER SEQUENCE otel_logs_id_seq NO MAXVALUE")
    ),
    "23502_ours": State(
        sql(f"{_TABLE} ADD tenant text NOT NULL DEFAULT 'x'", f"{_TABLE} ALTER tenant DROP DEFAULT"),
        sql(f"{_TABLE} ALTER tenant SET DEFAULT 'x'"),
    ),
    "25006": State(
        again("ALTER ROLE {role} SET default_transaction_read_only = on"),
        again("ALTER ROLE {role} RESET default_transaction_read_only"),
    ),
    "28P01": State(again("ALTER ROLE {role} PASSWORD 'other'"), sql("ALTER ROLE {role} PASSWORD 'w'")),
    "28000": State(again("ALTER ROLE {role} NOLOGIN"), sql("ALTER ROLE {role} LOGIN")),
    "3D000": State(
        again("ALTER DATABASE {db} ALLOW_CONNECTIONS false"),
        sql("ALTER DATABASE {db} ALLOW_CONNECTIONS true"),
    ),
    "42501": State(sql("REVOKE INSERT ON otel_logs FROM {role}"), sql("GRANT INSERT ON otel_logs TO {role}")),
    "42501_offsets": State(
        sql("REVOKE UPDATE ON otel_logs_offsets FROM {role}"),
        sql("GRANT UPDATE ON otel_logs_offsets TO {role}"),
    ),
    "42501_policy": State(
        sql(f"{_TABLE} ENABLE ROW LEVEL SECURITY"), sql(f"{_TABLE} DISABLE ROW LEVEL SECURITY")
    ),
    "42P01_off": State(
        sql(f"{_TABLE} RENAME TO away"),
        sql("ALTER TABLE away RENAME TO otel_logs"),
        lambda place: {"create_table": False},
    ),
    "42P01_forbidden": State(
        sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", f"{_TABLE} RENAME TO away"),
        sql("ALTER TABLE away RENAME TO otel_logs"),
    ),
    "53300": State(
        again("ALTER ROLE {role} CONNECTION LIMIT 0"), sql("ALTER ROLE {role} CONNECTION LIMIT -1")
    ),
    "55P03": State(
        lambda place: (again("ALTER ROLE {role} SET lock_timeout = '100ms'")(place), lock(place)), unlock
    ),
    "57014": State(lock, unlock, lambda place: {"statement_timeout": 1.0}),
    "57P03": State(shut_down, start),
    "08006": State(refuse, lambda place: place.kept["proxy"].listen(), behind_proxy),
    "08P01": State(hold_pool, unlock, behind_pooler),
}


def begun(
    place: Place, make: Make, run: Run, letters: Path, **more: Any
) -> tuple[DestinationWorker, ListSource]:
    """A delivery thread that has stored one record."""
    target = make(**{"user": place.role, "password": "w", **QUICK, **more})
    target.name = f"postgres {place.database.name}"
    source = ListSource([frame(1)])
    worker = run(target, source, letters=DeadLetterFile(letters, target.identity))
    eventually(lambda: source.saved == source.head(), 60)
    return worker, source


@pytest.mark.parametrize("key", WAITING)
def test_records_wait(
    place: Place, make: Make, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """None is given up, the breaker opens, it is reported; when the cause is gone all are stored once."""
    row, state = ROWS[key], WAITING[key]
    assert row.happens == WAITS
    worker, source = begun(place, make, run, tmp_path / "dead", **state.more(place))
    state.begin(place)
    source.extend(frame(number) for number in range(2, 102))
    eventually(lambda: row.reported in str(worker.snapshot()["last_error"]), 60)
    place.advice = worker.snapshot()["last_error"]
    eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
    assert worker.snapshot()["failing"]
    assert row.reported in capsys.readouterr().err
    state.end(place)
    eventually(lambda: source.saved == source.head(), 60)
    eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed", 60)
    assert worker.snapshot()["rejected"] == 0
    assert not (tmp_path / "dead").exists()
    assert expected(source) == uids(place.database)
