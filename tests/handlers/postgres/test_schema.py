"""The DDL on a real server, and that tables of other shapes keep working."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import batch, frame, origin, uids
from tests.servers.postgres import Database

Make = Callable[..., PostgresDestination]
SEED = """
CREATE TABLE otel_logs (
    id SERIAL PRIMARY KEY, timestamp TIMESTAMPTZ, severity_text VARCHAR(20), severity_number INTEGER, body TEXT,
    trace_id VARCHAR(32), span_id VARCHAR(16), resource JSONB, attributes JSONB);
CREATE INDEX idx_otel_logs_timestamp ON otel_logs(timestamp);
CREATE INDEX idx_otel_logs_trace_id ON otel_logs(trace_id);
CREATE INDEX idx_otel_logs_severity ON otel_logs(severity_text);"""
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
INDICES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY indexname"


def test_the_default_table_is_the_seeds(make: Make, postgres_database: Database) -> None:
    """Columns, types and indices, but for the wider id."""
    make().open()
    ours = [postgres_database.execute(sql, ("otel_logs",)) for sql in (COLUMNS, INDICES)]
    postgres_database.execute(f"DROP TABLE otel_logs; {SEED}")
    seeds = [postgres_database.execute(sql, ("otel_logs",)) for sql in (COLUMNS, INDICES)]
    assert [("id", "bigint"), *seeds[0][1:]] == ours[0]
    assert seeds[1] == ours[1]


def test_an_existing_seed_table_keeps_working(make: Make, postgres_database: Database) -> None:
    """Rows go where they went, beside the ones that are there; only the offsets table is added."""
    postgres_database.execute(f"{SEED} INSERT INTO otel_logs (body) VALUES ('old')")
    target = make()
    target.open()
    target.deliver(batch([frame(1)]))
    assert [("old",), ("order 1 placed",)] == postgres_database.execute(
        "SELECT body FROM otel_logs ORDER BY id"
    )


def test_a_table_with_fewer_and_other_columns(make: Make, postgres_database: Database) -> None:
    """What a table has no column for is left out, what it has more of stays at its default."""
    postgres_database.execute(
        "CREATE TABLE slim (at timestamptz DEFAULT now() NOT NULL, body jsonb, attributes json,"
        " severity_text varchar(3), trace_id varchar(8), double_body text GENERATED ALWAYS AS (severity_text) STORED)"
    )
    target = make(table_name="slim")
    target.open()
    assert target.deliver(batch([frame(1, 'a "b"'), frame(2, {"k": [1, None]})])) is None
    rows = postgres_database.execute(
        "SELECT body, severity_text, trace_id, attributes ->> 'otel_stdlib.repaired' FROM slim ORDER BY body::text"
    )
    mark = '["truncated:severity_text","truncated:trace_id"]'
    assert [('a "b"', "INF", "0" * 8, mark), ({"k": [1, None]}, "INF", "0" * 8, mark)] == rows


def test_schema_and_names_are_made_as_given(make: Make, postgres_database: Database) -> None:
    """A schema that is missing, letters of both cases, quotes, dots and percent signs."""
    name = '"My Logs"."50%s ""x"".y"'
    for options in ({}, {"partition": "monthly"}):
        target = make(table_name=name, views=True, **options)
        target.open()
        target.deliver(batch([frame(1)], origin(f"P{len(options)}")))
        target.forget(origin("P0"))
        found = postgres_database.execute("SELECT relname FROM pg_class WHERE relname LIKE '50%%y\\_offsets'")
        assert [('50%s "x".y_offsets',)] == found
        assert [(1,)] == postgres_database.execute(f"SELECT count(*) FROM {name.replace('%', '%%')}", ())
        postgres_database.execute('DROP SCHEMA "My Logs" CASCADE')


def test_longest_names_do_not_collide(make: Make, postgres_database: Database) -> None:
    """Two tables that differ in their last letter have two offsets tables and six indices."""
    names = ["t" * 62 + end for end in "ab"]
    for name in names:
        target = make(table_name=name, partition="daily")
        target.open()
        target.deliver(batch([frame(1)]))
    tables = postgres_database.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'ttt%offsets'")
    assert [(2,)] == tables
    for name in names:
        assert [(4,)] == postgres_database.execute(
            "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s)", (name,)
        )


@pytest.mark.parametrize(
    ("indexes", "kinds"), [("standard", {"btree"}), ("brin", {"brin", "btree"}), ("none", set())]
)
def test_indexes(make: Make, postgres_database: Database, indexes: str, kinds: set[str]) -> None:
    """The option chooses the indices of a new table; the primary key is always there."""
    make(indexes=indexes).open()
    rows = postgres_database.execute(INDICES, ("otel_logs",))
    rest = [definition for name, definition in rows if not name.endswith("_pkey")]
    assert kinds == {definition.split(" USING ")[1].split()[0] for definition in rest}
    assert (0 if indexes == "none" else 3) == len(rest)


def test_extra_columns_are_filled_from_attributes(make: Make, postgres_database: Database) -> None:
    """Each in its type, NULL where there is no value or none that fits; made in a table that lacks them."""
    postgres_database.execute(SEED)
    columns = {
        "user_id": "text",
        "route": {"attribute": "http.route", "type": "text"},
        "status": "smallint",
        "ms": "double precision",
        "ok": "boolean",
        "tags": "jsonb",
        "at": "timestamptz",
        "uid": {"attribute": "log.record.uid"},
    }
    target = make(columns=columns)
    target.open()
    good: dict[str, Any] = {
        "user_id": "a\tb\\",
        "http.route": "/x",
        "status": 200,
        "ms": 1.5,
        "ok": True,
        "tags": ["\\", "ü"],
        "at": "2025-01-02T03:04:05Z",
    }
    odd = {"user_id": 5, "http.route": {"a": 1}, "status": 70_000, "ms": "x", "ok": "perhaps", "at": "soon"}
    assert target.deliver(batch([frame(1, **good), frame(2, **odd), frame(3)])) is None
    names = "user_id, route, status, ms, ok, tags, at AT TIME ZONE 'UTC', uid"
    rows = postgres_database.execute(f"SELECT {names} FROM otel_logs ORDER BY id")
    assert ("a\tb\\", "/x", 200, 1.5, True, ["\\", "ü"]) == rows[0][:6]
    assert "2025-01-02 03:04:05" == str(rows[0][6])
    assert ("5", '{"a":1}', None, None, None, None, None) == rows[1][:7]
    assert (None,) * 7 == rows[2][:7]
    assert set(uids(postgres_database)) == {row[7] for row in rows}


def test_columns_that_may_not_be_made_are_left_out(
    make: Make, postgres_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ``create_table`` a missing column costs no record, and is said."""
    make(table_name="otel_logs").open()
    target = make(columns={"user_id": "text"}, create_table=False)
    target.open()
    assert target.deliver(batch([frame(1, user_id="u")])) is None
    assert [("u",)] == postgres_database.execute("SELECT attributes ->> 'user_id' FROM otel_logs")
    assert "lacks the columns user_id" in capsys.readouterr().err


def test_a_relation_without_our_columns_is_refused(make: Make, postgres_database: Database) -> None:
    """Another application's table by that name is not written to."""
    postgres_database.execute("CREATE TABLE otel_logs (name text)")
    with pytest.raises(RetryableError, match="none of the columns"):
        make().open()
