"""A hypertable of TimescaleDB itself, where the server has the extension; a stand-in is in ``test_partitions``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otel_stdlib.delivery.worker import DestinationWorker
from tests.handlers.postgres.support import ListSource, destination, expected, frame, uids
from tests.handlers.postgres.test_faults import delivered
from tests.handlers.postgres.test_partitions import dated, utc
from tests.servers.postgres import Database, Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def timescale(postgres_server: Postgres, postgres_node: Callable[..., Postgres]) -> Database:
    """A database with the extension, on a server of its own."""
    known = postgres_server.database().execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
    )
    if not known:
        pytest.skip("the server has no TimescaleDB")
    settings = {"shared_preload_libraries": "'timescaledb'", "timescaledb.telemetry_level": "off"}
    database = postgres_node(settings).database()
    database.execute("CREATE EXTENSION timescaledb")
    return database


def test_a_hypertable_is_written_to(
    timescale: Database,
    run: Callable[..., DestinationWorker],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Chunks are TimescaleDB's own, also for old times; each record is stored once; ``partition`` does nothing."""
    timescale.execute(
        "CREATE TABLE hyper (id bigserial, timestamp timestamptz NOT NULL, severity_text varchar(20),"
        " severity_number integer, body text, trace_id varchar(32), span_id varchar(16), resource jsonb,"
        " attributes jsonb);"
        " SELECT create_hypertable('hyper', 'timestamp', chunk_time_interval => interval '1 day')"
    )
    target = destination(timescale, table_name="hyper", partition="daily", retention="30d", views=True)
    lines = {n: dated(n, utc(2024, 3, 1 + n % 4, 12)) for n in range(1, 1_001)}
    source = ListSource([frame(n, line=line) for n, line in lines.items()])
    try:
        worker = run(target, source)
        delivered(worker, source)
    finally:
        target.close()
    assert expected(source) == uids(timescale, "hyper")
    chunks = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'hyper'"
    assert [(4,)] == timescale.execute(chunks)
    assert "a hypertable of TimescaleDB" in capsys.readouterr().err
