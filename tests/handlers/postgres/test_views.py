from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import destination
from tests.servers.postgres import Database, Postgres

ROWS = 1_000_000
#: A month of records, written in the order of their time.
FILL = f"""
INSERT INTO otel_logs (timestamp, severity_text, severity_number, body, trace_id, span_id, resource, attributes)
SELECT now() - interval '30 days' * (1 - n / {ROWS}.0), CASE WHEN n % 100 = 0 THEN 'ERROR' ELSE 'INFO' END,
       CASE WHEN n % 100 = 0 THEN 17 ELSE 9 END, 'order placed', lpad(to_hex(n / 10), 32, '0'),
       lpad(to_hex(n / 2), 16, '0'), '{{"service.name": "shop"}}', '{{"n": 1}}'
FROM generate_series(1, {ROWS}) AS n"""
QUERIES = {
    "errors by service": "SELECT * FROM otel_logs_errors_by_service",
    "one trace in order": f"SELECT * FROM otel_logs_trace WHERE trace_id = '{'1234':0>32}'",
    "slow spans": "SELECT * FROM otel_logs_slow_spans LIMIT 20",
    "volume per minute": "SELECT * FROM otel_logs_volume_per_minute",
}


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres) -> Iterator[Callable[[str], Database]]:
    """Tables of a million rows: ``filled(indexes)``."""
    with postgres_server.fresh_database() as database:
        done: list[str] = []

        def fill(indexes: str) -> Database:
            if not done:
                target = destination(database, views=True)
                target.open()
                target.close()
                # The indices are made when the rows are in: that is quicker.
                rows = database.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'idx_otel%'")
                names = "idx_otel_logs_timestamp, idx_otel_logs_trace_id, idx_otel_logs_severity"
                again = ";".join(row[0] for row in rows)
                database.execute(f"ALTER TABLE otel_logs SET UNLOGGED; DROP INDEX {names}; {FILL}; {again}")
                database.execute("VACUUM ANALYZE otel_logs")
            if indexes == "brin" and "brin" not in done:
                brin = "CREATE INDEX idx_otel_logs_timestamp ON otel_logs USING brin (timestamp)"
                database.execute(f"DROP INDEX idx_otel_logs_timestamp; {brin}")
                database.execute("VACUUM ANALYZE otel_logs")
            done.append(indexes)
            return database

        yield fill


@pytest.mark.slow
def test_every_view_uses_an_index(filled: Callable[[str], Database]) -> None:
    """On a million rows no view reads the whole table, with the standard indices and with BRIN."""
    for indexes in ("standard", "brin"):
        database = filled(indexes)
        for name, query in QUERIES.items():
            plan = "\n".join(row[0] for row in database.execute(f"EXPLAIN {query}"))
            assert "Index" in plan, (indexes, name, plan)
            assert "Seq Scan on otel_logs" not in plan, (indexes, name, plan)


def test_what_the_views_answer(make: Callable[..., PostgresDestination], postgres_database: Database) -> None:
    """A few records of the last day and one before it."""
    make(views=True).open()
    postgres_database.execute(
        """INSERT INTO otel_logs
        (timestamp, severity_text, severity_number, body, trace_id, span_id, resource, attributes)
        SELECT date_trunc('minute', now()) - at, level, number, body, trace, span, '{"service.name": "shop"}', more
        FROM (VALUES
            (interval '2 hours', 'INFO', 9, 'b', 'T1', 'S1', '{"otel.scope.name": "shop.db"}'::jsonb),
            (interval '2 hours 3 seconds', 'INFO', 9, 'a', 'T1', 'S1', '{}'),
            (interval '1 hours', 'ERROR', 17, 'c', 'T1', 'S2', '{"exception.type": "ValueError", "duration_ms": 9000}'),
            (interval '1 hours', 'CRITICAL', 21, 'd', NULL, NULL, '{"duration_ms": "long"}'),
            (interval '3 days', 'ERROR', 17, 'old', 'T2', 'S3', '{}')
        ) AS v (at, level, number, body, trace, span, more)"""
    )
    ask = postgres_database.execute
    assert [("shop", "ValueError", 1), ("shop", None, 1)] == ask(
        "SELECT service, exception_type, errors FROM otel_logs_errors_by_service ORDER BY 2"
    )
    assert [("a", None), ("b", "shop.db"), ("c", None)] == ask(
        "SELECT body, logger FROM otel_logs_trace WHERE trace_id = 'T1'"
    )
    assert [("S2", 9000.0, 1), ("S1", 3000.0, 2)] == ask(
        "SELECT span_id, duration_ms, records FROM otel_logs_slow_spans"
    )
    assert 4 == sum(row[0] for row in ask("SELECT records FROM otel_logs_volume_per_minute"))


def test_views_that_cannot_be_made_cost_no_record(
    make: Callable[..., PostgresDestination], postgres_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table whose columns the views do not fit is still written to."""
    postgres_database.execute("CREATE TABLE plain (timestamp timestamptz, body text)")
    target = make(table_name="plain", views=True)
    target.open()
    assert "views could not be made" in capsys.readouterr().err
