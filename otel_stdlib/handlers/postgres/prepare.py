"""Looking at the target and making what is missing in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres.columns import STANDARD
from otel_stdlib.handlers.postgres.names import TableName
from otel_stdlib.handlers.postgres.options import PostgresOptions
from otel_stdlib.handlers.postgres.schema import (
    OffsetsSql,
    create_extra_columns,
    create_offsets,
    create_table,
    lock_schema,
)
from otel_stdlib.handlers.postgres.session import Session, SqlError, begin_sql
from otel_stdlib.handlers.postgres.shape import ColumnInfo, TableShape
from otel_stdlib.handlers.postgres.views import VIEW_SUFFIXES, create_views

__all__ = ["Layout", "prepare"]

#: One row per column; at least one row, whose column is NULL where there is none.
_TABLE = """
SELECT c.oid, c.relkind = 'p', n.nspname, c.relname,
       (SELECT count(*) FROM unnest(%s::text[]) AS v WHERE to_regclass(v) IS NULL),
       to_regclass(%s) IS NOT NULL, to_regclass('timescaledb_information.hypertables') IS NOT NULL,
       array_remove(ARRAY[CASE WHEN row_security_active(c.oid) THEN c.relname END,
                          CASE WHEN row_security_active(to_regclass(%s)) THEN to_regclass(%s)::text END], NULL),
       attname, format_type(atttypid, NULL),
       CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4 THEN atttypmod - 4 END,
       attnotnull AND NOT atthasdef AND attidentity = ''
FROM (SELECT to_regclass(%s) AS oid) AS wanted
LEFT JOIN pg_class c ON c.oid = wanted.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
_HYPERTABLE = (
    "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_schema = %s AND hypertable_name = %s"
)


class Layout(NamedTuple):
    """What is known of the target."""

    shape: TableShape
    #: Its table is partitioned by PostgreSQL's own means.
    partitioned: bool
    #: Its table is TimescaleDB's, which partitions and drops by itself.
    hypertable: bool
    copy_sql: str


class _Found(NamedTuple):
    layout: Layout | None
    offsets: bool
    missing_views: bool
    #: Columns that must have a value and get none from us.
    unfilled: tuple[str, ...]
    #: Tables whose row-level security applies to this account.
    policed: tuple[str, ...]


def prepare(session: Session, options: PostgresOptions) -> Layout:
    """The target's layout, after making what it lacks where ``create_table`` is on.

    Raises:
        SqlError: the server refused something.
        RetryableError: the target is not usable as it is; somebody has to change it.
    """
    found = _look(session, options)
    if _is_complete(found, options):
        return _usable(found, options)
    if options.create_table:
        _make(session, options)
        found = _look(session, options)
    return _usable(found, options)


def _is_complete(found: _Found, options: PostgresOptions) -> bool:
    layout = found.layout
    return (
        layout is not None
        and found.offsets
        and not layout.shape.missing
        and not (options.views and found.missing_views)
    )


def _usable(found: _Found, options: PostgresOptions) -> Layout:
    table = options.table
    for there, name in ((found.layout is not None, table.key), (found.offsets, OffsetsSql(table).table.key)):
        if not there:
            raise RetryableError(
                f"the table {name} does not exist, and 'create_table' is off: see docs/postgres.md"
            )
    assert found.layout is not None
    layout = found.layout
    if not layout.shape.chosen:
        raise RetryableError(f"the table {table.key} has none of the columns {', '.join(STANDARD)}")
    if found.policed:
        raise RetryableError(
            f"row-level security applies to this account in {', '.join(found.policed)}, and COPY does not work"
            " under it: make the account the owner of both tables (without FORCE), or give it BYPASSRLS"
        )
    if found.unfilled:
        raise RetryableError(
            f"the table {table.key} wants values for {', '.join(found.unfilled)}, which records do not have:"
            " give the column a default, or drop NOT NULL"
        )
    if layout.shape.missing:
        names = ", ".join(column.name for column in layout.shape.missing)
        say(f"postgres-columns:{table.key}", f"PostgreSQL: the table {table.key} lacks the columns {names}")
    if options.partition != "none" and not layout.partitioned:
        kind = "a hypertable of TimescaleDB" if layout.hypertable else "not partitioned"
        say(
            f"postgres-partition:{table.key}",
            f"PostgreSQL: {table.key} is {kind}: 'partition' does nothing here",
        )
    return layout


def _look(session: Session, options: PostgresOptions) -> _Found:
    table = options.table
    views = [table.beside(suffix).sql for suffix in VIEW_SUFFIXES]
    beside = OffsetsSql(table).table.sql
    rows = session.execute(_TABLE, (views, beside, beside, beside, table.sql))
    oid, partitioned, schema, name, missing_views, offsets, timescale, policed = rows[0][:8]
    if oid is None:
        return _Found(None, offsets, missing_views > 0, (), tuple(policed))
    columns: dict[str, ColumnInfo] = {}
    demanding: list[str] = []
    for column, kind, length, demands in (row[8:] for row in rows if row[8] is not None):
        columns[column] = ColumnInfo(kind, length)
        if demands:
            demanding.append(column)
    shape = TableShape(columns, options.extra_columns)
    filled = {*STANDARD, *(column.name for column in shape.extra)}
    hypertable = timescale and bool(session.execute(_HYPERTABLE, (schema, name)))
    copy_sql = f"COPY {table.sql} ({shape.copy_columns}) FROM STDIN"
    layout = Layout(shape, bool(partitioned), hypertable, copy_sql)
    return _Found(layout, offsets, missing_views > 0, tuple(sorted(set(demanding) - filled)), tuple(policed))


def _make(session: Session, options: PostgresOptions) -> None:
    table = options.table
    # By one process at a time, and looked at again under the lock: another may have made it all.
    session.execute(begin_sql(options))
    try:
        session.execute(lock_schema(table))
        found = _look(session, options)
        for statement in _statements(table, found, options):
            session.execute(statement)
        session.execute("COMMIT")
    except (SqlError, RetryableError):
        session.rollback()
        raise
    if options.views and found.missing_views:
        _make_views(session, options)


def _statements(table: TableName, found: _Found, options: PostgresOptions) -> list[str]:
    statements: list[str] = []
    if found.layout is None:
        statements += create_table(
            table,
            partitioned=options.partition != "none",
            indexes=options.indexes,
            extra=options.extra_columns,
        )
    else:
        statements += create_extra_columns(table, found.layout.shape.missing)
    if not found.offsets:
        statements += create_offsets(table)
    return statements


def _make_views(session: Session, options: PostgresOptions) -> None:
    """The views, which must not stand between records and their table: a failure is only said."""
    steps: list[Any] = [
        begin_sql(options),
        lock_schema(options.table),
        *create_views(options.table),
        "COMMIT",
    ]
    try:
        for statement in steps:
            session.execute(statement)
    except SqlError as error:
        session.rollback()
        say(
            f"postgres-views:{options.table.key}",
            f"PostgreSQL: the views could not be made: {error.classified()}",
        )
        if error.lost:
            raise
