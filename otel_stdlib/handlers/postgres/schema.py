"""The statements that make the table and what stands beside it. Pure.

The table is the seed's, but for ``id``: a 64-bit number, as SERIAL is used up after 2,147,483,647
records. Beside it stands ``<table>_offsets``, one row per spool: up to where its records are
stored, changed in the transaction that stores them.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_stdlib.handlers.postgres.columns import ExtraColumn
from otel_stdlib.handlers.postgres.names import TableName, literal, quote, shorten

__all__ = ["MOVED", "OffsetsSql", "create_extra_columns", "create_offsets", "create_table", "lock_schema"]

#: SQLSTATE of a fence that found another offset: the text, which the server's log shows, is no number.
MOVED = "22P02"
_MOVED_TEXT = "otel_stdlib: another one has stored records of this spool"
_COLUMNS = (
    '"timestamp" timestamptz{not_null}',
    '"severity_text" varchar(20)',
    '"severity_number" integer',
    '"body" text',
    '"trace_id" varchar(32)',
    '"span_id" varchar(16)',
    '"resource" jsonb',
    '"attributes" jsonb',
)


def lock_schema(table: TableName, *, wait: bool = True) -> str:
    """A lock that only we take, until the end of the transaction: one process at a time changes a schema.

    With ``wait`` off it gives false where another holds it.
    """
    name = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    return f"SELECT {name}(hashtextextended({literal('otel_stdlib ' + table.key)}, 0))"


def create_table(
    table: TableName, *, partitioned: bool, indexes: str, extra: Sequence[ExtraColumn] = ()
) -> list[str]:
    """The table, its indices and, when it is partitioned, the partition for times that have none.

    Args:
        table: its name.
        partitioned: by RANGE of ``timestamp``; a unique key then has to contain it.
        indexes: ``standard``, ``brin`` or ``none``.
        extra: the user's own columns.
    """
    key = '("timestamp", "id")' if partitioned else '("id")'
    lines = ['"id" bigserial']
    lines += [column.format(not_null=" NOT NULL" if partitioned else "") for column in _COLUMNS]
    lines += [f"{quote(column.name)} {column.type}" for column in extra]
    lines.append(f"PRIMARY KEY {key}")
    by = ' PARTITION BY RANGE ("timestamp")' if partitioned else ""
    statements = [f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}"] if table.schema else []
    statements.append(f"CREATE TABLE {table.sql} ({', '.join(lines)}){by}")
    statements += _indices(table, indexes)
    if partitioned:
        statements.append(f"CREATE TABLE {table.beside('_default').sql} PARTITION OF {table.sql} DEFAULT")
    return statements


def _indices(table: TableName, indexes: str) -> list[str]:
    if indexes == "none":
        return []
    by_time = "USING brin" if indexes == "brin" else "USING btree"
    wanted = (
        ("_timestamp", f'{by_time} ("timestamp")'),
        ("_trace_id", '("trace_id")'),
        ("_severity", '("severity_text")'),
    )
    return [
        f"CREATE INDEX IF NOT EXISTS {quote(shorten('idx_' + table.table, suffix))} ON {table.sql} {on}"
        for suffix, on in wanted
    ]


def create_extra_columns(table: TableName, extra: Sequence[ExtraColumn]) -> list[str]:
    """The user's columns that a table lacks. Adding one without a default rewrites nothing."""
    return [
        f"ALTER TABLE {table.sql} ADD COLUMN IF NOT EXISTS {quote(column.name)} {column.type}"
        for column in extra
    ]


def create_offsets(table: TableName) -> list[str]:
    """The offsets table. Its pages keep room for new versions of a row, which then touch no index."""
    offsets = OffsetsSql(table).table
    columns = "spool_id text PRIMARY KEY, lsn bigint NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()"
    return [f"CREATE TABLE IF NOT EXISTS {offsets.sql} ({columns}) WITH (fillfactor = 20)"]


class OffsetsSql:
    """The statements on the offsets table; their parameters are the driver's ``%s``."""

    def __init__(self, table: TableName) -> None:
        self.table = table.beside("_offsets")
        # A percent sign in a name is no parameter.
        name = self.table.sql.replace("%", "%%")
        # An advisory lock that nobody else takes or waits for is the mark of a transaction.
        mark = "pg_try_advisory_xact_lock_shared(%s)"
        #: (mark, spool id): the offset; the row is locked. No row: none kept.
        self.lock = f"SELECT lsn, {mark} FROM {name} WHERE spool_id = %s FOR UPDATE"
        row = f"SELECT lsn FROM {name} WHERE spool_id = %s FOR UPDATE"
        #: (mark, spool id, offset): the row is locked, and an error (``MOVED``) unless it is there with an
        #: offset that is no greater.
        self.fence = f"SELECT {mark}, (CASE WHEN ({row}) <= %s THEN '0' ELSE {literal(_MOVED_TEXT)} END)::int"
        #: (spool id, offset): keep an origin's first offset, unless another process has by now.
        self.insert = f"INSERT INTO {name} (spool_id, lsn) VALUES (%s, %s) ON CONFLICT (spool_id) DO NOTHING"
        #: (offset, spool id)
        self.update = f"UPDATE {name} SET lsn = %s, updated_at = now() WHERE spool_id = %s"
        #: (spool id)
        self.read = f"SELECT lsn FROM {name} WHERE spool_id = %s"
        #: (spool id)
        self.delete = f"DELETE FROM {name} WHERE spool_id = %s"
        #: (days): rows of spools that have gone without a word, as with a machine that was deleted.
        self.sweep = f"DELETE FROM {name} WHERE updated_at < now() - %s * interval '1 day'"
