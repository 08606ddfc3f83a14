"""What the target needs from time to time: partitions ahead, retention, offset rows of spools long gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.handlers.postgres.names import quote
from otel_stdlib.handlers.postgres.options import PostgresOptions
from otel_stdlib.handlers.postgres.partitions import (
    Partition,
    create_partition,
    drop_partition,
    expired,
    parse_bound,
    purge_default,
    wanted,
)
from otel_stdlib.handlers.postgres.prepare import Layout
from otel_stdlib.handlers.postgres.schema import OffsetsSql, lock_schema
from otel_stdlib.handlers.postgres.session import Session, SqlError, begin_sql

__all__ = ["KEEP_OFFSETS_DAYS", "keep_up"]

#: A spool that has not been heard of for so long is taken to be gone with its machine.
KEEP_OFFSETS_DAYS = 90
#: Seconds that a change of the schema waits for readers, who must not be made to wait behind it for long.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'"
#: Duplicate table, overlap with one, undefined table: another process was quicker.
_MADE_BY_ANOTHER = ("42P07", "42P17", "42P01")
_PARTITIONS = """
SELECT n.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = to_regclass(%s)"""


def keep_up(session: Session, options: PostgresOptions, layout: Layout, now: datetime) -> bool:
    """One round, at the UTC time ``now``; false when something has to be tried again soon.

    Nothing that fails here stands between records and their table: it is said once. Another
    process that is at it is left to it.

    Raises:
        SqlError: the connection is lost.
    """
    done = _said(options, lambda: _sweep(session, options))
    if layout.partitioned and options.partition != "none" and options.create_table:
        done &= _said(options, lambda: _tend_partitions(session, options, now))
    return done


def _said(options: PostgresOptions, step: Callable[[], None]) -> bool:
    try:
        step()
    except SqlError as error:
        if error.lost:
            raise
        say(
            f"postgres-upkeep:{options.table.key}",
            f"PostgreSQL: upkeep of {options.table.key}: {error.classified()}",
        )
        return False
    return True


def _tend_partitions(session: Session, options: PostgresOptions, now: datetime) -> None:
    # The first failure ends the round: a lock that somebody holds is not waited for again and again.
    table = options.table
    existing, default = _partitions(session, options)
    for part in wanted(table, options.partition, now, existing):
        _attempt(session, options, create_partition(table, default, part))
    if options.retention_days is None:
        return
    for part in expired(existing, now, options.retention_days):
        _attempt(session, options, [drop_partition(table, part)])
    if default is not None:
        _attempt(session, options, [purge_default(default, now, options.retention_days)])


def _partitions(session: Session, options: PostgresOptions) -> tuple[list[Partition], str | None]:
    session.execute(f"{begin_sql(options)}; {_LOCK_TIMEOUT}")
    try:
        rows = session.execute(_PARTITIONS, (options.table.sql,))
        session.execute("COMMIT")
    except SqlError:
        session.rollback()
        raise
    parts = [part for _, name, bound in rows if (part := parse_bound(name, bound)) is not None]
    defaults = [f"{quote(schema)}.{quote(name)}" for schema, name, bound in rows if bound == "DEFAULT"]
    return parts, defaults[0] if defaults else None


def _sweep(session: Session, options: PostgresOptions) -> None:
    # One message: records wait for the first round, and beside a busy application an answer is heard late.
    alone = lock_schema(options.table, wait=False).replace("%", "%%")
    sweep = f"{OffsetsSql(options.table).sweep} AND ({alone})"
    try:
        session.execute(f"{begin_sql(options)}; {_LOCK_TIMEOUT}; {sweep}; COMMIT", (KEEP_OFFSETS_DAYS,))
    except SqlError:
        session.rollback()
        raise


def _attempt(session: Session, options: PostgresOptions, statements: Sequence[str]) -> None:
    session.execute(f"{begin_sql(options)}; {_LOCK_TIMEOUT}")
    try:
        if not session.execute(lock_schema(options.table, wait=False))[0][0]:
            session.rollback()
            return
        for statement in statements:
            session.execute(statement)
        session.execute("COMMIT")
    except SqlError as error:
        session.rollback()
        if error.failure.sqlstate not in _MADE_BY_ANOTHER:
            raise
