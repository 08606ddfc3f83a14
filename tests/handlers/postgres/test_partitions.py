from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from otel_stdlib.handlers.postgres import PostgresDestination
from otel_stdlib.handlers.postgres.names import TableName
from otel_stdlib.handlers.postgres.partitions import Partition, expired, parse_bound, wanted
from otel_stdlib.handlers.postgres.schema import lock_schema
from tests.handlers.postgres.support import batch, destination, frame, origin, uids
from tests.servers.postgres import Database

Make = Callable[..., PostgresDestination]
TABLE = TableName("", "otel_logs")
PARTS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'otel_logs'::regclass ORDER BY 1"


def utc(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


def ns(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(moment.timestamp()) * 1_000_000_000


def names(database: Database) -> list[str]:
    """The table's partitions."""
    return [row[0] for row in database.execute(PARTS)]


def dated(number: int, moment: datetime) -> bytes:
    """An open line of that time."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return (
        b'{"timestamp":"%b","severity_text":"INFO","severity_number":9,"body":"%d","scope":{"name":"x"},"attributes":{'
        % (text, number)
    )


def test_days_are_made_ahead() -> None:
    """Yesterday for records that waited, today, and three days, over the end of a month."""
    made = wanted(TABLE, "daily", utc(2024, 2, 28, 23, 59), [])
    assert [f"otel_logs_p202402{day}" for day in (27, 28, 29)] == [part.name for part in made[:3]]
    assert ["otel_logs_p20240301", "otel_logs_p20240302"] == [part.name for part in made[3:]]
    assert all(a.end == b.start for a, b in pairwise(made))


def test_months_are_made_ahead() -> None:
    """The month before, for a clock at its very end, this one and the next."""
    made = wanted(TABLE, "monthly", utc(2024, 12, 31), [])
    starts = {"otel_logs_p202411": utc(2024, 11, 1), "otel_logs_p202412": utc(2024, 12, 1)}
    starts["otel_logs_p202501"] = utc(2025, 1, 1)
    assert starts == {part.name: part.start for part in made}


def test_what_overlaps_is_left_alone() -> None:
    """Partitions of another size, or somebody else's, stay as they are."""
    month = Partition("by_hand", utc(2024, 2, 1), utc(2024, 3, 1))
    assert ["otel_logs_p20240301"] == [p.name for p in wanted(TABLE, "daily", utc(2024, 2, 27), [month])]


def test_only_whole_partitions_of_ours_expire() -> None:
    """One whose last day is still kept stays; so does one with a name that we did not give."""
    parts = [Partition(f"otel_logs_p2024010{d}", utc(2024, 1, d), utc(2024, 1, d + 1)) for d in range(1, 6)]
    parts.append(Partition("by_hand", utc(2023, 1, 1), utc(2023, 2, 1)))
    gone = expired(parts, utc(2024, 1, 6, 12), 3)
    assert ["otel_logs_p20240101", "otel_logs_p20240102"] == [part.name for part in gone]


def test_bounds_are_read_as_postgresql_writes_them() -> None:
    """A range of times; nothing else is taken for one."""
    found = parse_bound("p", "FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-02-01 00:00:00+00')")
    assert Partition("p", utc(2024, 1, 1), utc(2024, 2, 1)) == found
    for other in (
        "DEFAULT",
        "FOR VALUES FROM (MINVALUE) TO ('2024-01-01 00:00:00+00')",
        "FOR VALUES IN ('a')",
    ):
        assert parse_bound("p", other) is None


def test_partitions_come_and_go(postgres_database: Database) -> None:
    """Made ahead, filled, made again as days go by, dropped whole after their time; DEFAULT is swept too."""
    now = [utc(2024, 3, 10, 12)]
    clock = [0.0]
    target = destination(postgres_database, partition="daily", retention="2d")
    target._clock, target._now_ns = lambda: clock[0], lambda: ns(now[0])
    try:
        target.open()
        first = ["otel_logs_default", *(f"otel_logs_p202403{day:02d}" for day in range(9, 14))]
        assert first == names(postgres_database)
        times = [now[0], now[0] - timedelta(days=400), now[0] + timedelta(days=5)]
        target.deliver(batch([frame(n, line=dated(n, time)) for n, time in enumerate(times, 1)]))
        skewed = "SELECT body FROM otel_logs_default ORDER BY body"
        assert [("2",), ("3",)] == postgres_database.execute(skewed)
        now[0] += timedelta(days=4)
        clock[0] += 4_000
        target.deliver(batch([frame(4, line=dated(4, now[0]))]))
        assert ["otel_logs_default", *(f"otel_logs_p202403{day}" for day in range(12, 18))] == names(
            postgres_database
        )
        assert [] == postgres_database.execute(skewed)
        assert [("3",), ("4",)] == postgres_database.execute("SELECT body FROM otel_logs ORDER BY body")
        assert [("3",)] == postgres_database.execute("SELECT body FROM otel_logs_p20240315")
    finally:
        target.close()


def test_two_processes_keep_up_one_table(make: Make, postgres_database: Database) -> None:
    """Whoever comes second finds everything made."""
    targets = [make(partition="monthly") for _ in range(2)]
    for number, target in enumerate(targets):
        target.open()
        target.deliver(batch([frame(1)], origin("AB"[number])))
    assert 2 == len(uids(postgres_database))
    assert 4 == len(names(postgres_database))


def test_a_partitioned_table_has_the_seeds_indices(make: Make, postgres_database: Database) -> None:
    """Every partition gets them, the ones that are attached later too."""
    make(partition="daily").open()
    last = "SELECT max(inhrelid) FROM pg_inherits WHERE inhparent = 'otel_logs'::regclass"
    sql = f"SELECT count(*) FROM pg_index WHERE indrelid = ({last})"
    assert [(4,)] == postgres_database.execute(sql)


def test_upkeep_that_fails_stands_in_nobodys_way(
    make: Make, postgres_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """A partition that cannot be made is said once; records go to DEFAULT meanwhile."""
    make(partition="daily").open()
    postgres_database.execute("CREATE TABLE otel_logs_p20300102 (x int)")
    target = make(partition="daily")
    target._now_ns = lambda: ns(utc(2030, 1, 2))
    # The name is taken by something else: as if another process had made it.
    target.open()
    assert "otel_logs_p20300102" not in names(postgres_database)
    assert target.deliver(batch([frame(1, line=dated(1, utc(2030, 1, 2)))])) is None
    blocker = postgres_database.connect()
    try:
        with blocker.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE otel_logs_default IN ACCESS EXCLUSIVE MODE")
            late = make(partition="daily")
            late._now_ns = lambda: ns(utc(2031, 1, 2))
            late.open()
            cursor.execute("ROLLBACK")
    finally:
        blocker.close()
    assert "upkeep of otel_logs" in capsys.readouterr().err


@pytest.mark.parametrize("hypertable", [False, True])
def test_a_table_that_is_not_partitioned_stays_so(
    make: Make, postgres_database: Database, capsys: pytest.CaptureFixture[str], hypertable: bool
) -> None:
    """A plain table and a hypertable are written to as they are, and it is said that the option does nothing.

    TimescaleDB itself cannot be had here: its catalogue view stands in for it.
    """
    make().open()
    if hypertable:
        postgres_database.execute(
            "CREATE SCHEMA timescaledb_information;"
            "CREATE VIEW timescaledb_information.hypertables AS"
            " SELECT 'public'::name AS hypertable_schema, 'otel_logs'::name AS hypertable_name"
        )
    name = f"otel_logs{hypertable}".lower()
    postgres_database.execute(
        f"CREATE TABLE {name} (LIKE otel_logs INCLUDING ALL)"
    ) if not hypertable else None
    target = make(table_name="otel_logs" if hypertable else name, partition="daily", retention="1d")
    target.open()
    assert target.deliver(batch([frame(1)])) is None
    said = capsys.readouterr().err
    assert ("a hypertable of TimescaleDB" if hypertable else "is not partitioned") in said


def test_upkeep_of_one_kind_does_not_wait_for_the_other(make: Make, postgres_database: Database) -> None:
    """A sweep that fails, as without a right, keeps no partition from being made."""
    make(table_name="swept", partition="daily").open()
    refuse = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
    on = "CREATE TRIGGER t BEFORE DELETE ON swept_offsets FOR EACH STATEMENT EXECUTE FUNCTION no()"
    postgres_database.execute(f"{refuse}; {on}")
    later = make(table_name="swept", partition="daily")
    later._now_ns = lambda: ns(utc(2030, 1, 2))
    later.open()
    assert [(True,)] == postgres_database.execute("SELECT to_regclass('swept_p20300102') IS NOT NULL")


@pytest.mark.parametrize("name", ["otel_logs", "100% logs"])
def test_offset_rows_of_spools_long_gone_are_swept(
    make: Make, postgres_database: Database, name: str
) -> None:
    """Rows that nobody has touched for ninety days; what another process is at is left to it."""
    make(table_name=name).open()
    offsets = f'"{name}_offsets"'
    postgres_database.execute(
        f"INSERT INTO {offsets} VALUES ('OLD', 1, now() - interval '91 days'), ('NEW', 1, now())"
    )
    another = postgres_database.connect()
    try:
        another.cursor().execute(f"BEGIN; {lock_schema(TableName.parse(name))}")
        make(table_name=name).open()
        assert [(2,)] == postgres_database.execute(f"SELECT count(*) FROM {offsets}")
    finally:
        another.close()
    make(table_name=name).open()
    assert [("NEW",)] == postgres_database.execute(f"SELECT spool_id FROM {offsets}")
