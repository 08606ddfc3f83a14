"""Whether a row was refused for a value that the server chose: a sequence that is behind, or used up.

After an upgrade by logical replication, or a restore of data alone, a sequence begins again below
the rows that are there; a ``serial`` column ends at 2,147,483,647. Either error is of a class that
blames the row, and holds for every row until someone moves the sequence or widens the column.
Sources: PostgreSQL's "Upgrading data from logical replication" and "Numeric types".
"""

from __future__ import annotations

from collections.abc import Collection

from otel_stdlib.handlers.postgres.errors import Failure
from otel_stdlib.handlers.postgres.names import TableName, literal
from otel_stdlib.handlers.postgres.session import Session

__all__ = ["advice"]

#: SQLSTATE of a unique key that has the value already, and of a number that its column cannot hold.
_UNIQUE, _RANGE = "23505", "22003"
#: Columns of an index, in the schema and table that the server's error names.
_KEY = """
SELECT a.attname FROM pg_index i
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
WHERE n.nspname = %s AND t.relname = %s AND x.relname = %s"""
#: Columns that a sequence fills, with its name and whether its next value is beyond the column's type.
_SEQUENCES = """
SELECT a.attname, s.seqrelid::regclass::text,
       a.atttypid IN ('int2'::regtype, 'int4'::regtype)
       AND pg_sequence_last_value(s.seqrelid) >= CASE WHEN a.atttypid = 'int2'::regtype THEN 32767 ELSE 2147483647 END
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
JOIN pg_depend p ON (p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass)
                 OR (p.classid = 'pg_class'::regclass AND p.deptype = 'i' AND p.refobjid = a.attrelid
                     AND p.refobjsubid = a.attnum)
JOIN pg_sequence s ON s.seqrelid = CASE WHEN p.classid = 'pg_attrdef'::regclass THEN p.refobjid ELSE p.objid END
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"""


def advice(session: Session, failure: Failure, table: TableName, written: Collection[str]) -> str | None:
    """What someone has to do about a refusal that is no record's fault; None: another error, or the row's.

    Args:
        session: outside of a transaction.
        failure: what the server said of a row.
        table: the target.
        written: the columns that records fill.

    Raises:
        SqlError: the server does not answer.
    """
    if failure.sqlstate == _UNIQUE and failure.constraint is not None:
        key = {row[0] for row in session.execute(_KEY, failure.constraint)}
        foreign = key.difference(written)
        for column, sequence, _ in session.execute(_SEQUENCES, (table.sql,)):
            if column in foreign:
                return _behind(column, sequence, table)
        if key and foreign == key:
            names = ", ".join(sorted(key))
            return f"the server gives {names}, which no record has: see the column's default"
    if failure.sqlstate == _RANGE:
        for column, _, used_up in session.execute(_SEQUENCES, (table.sql,)):
            if used_up and column not in written:
                return f"the sequence of {column} is beyond its type: give {column} and the sequence the type bigint"
    return None


def _behind(column: str, sequence: str, table: TableName) -> str:
    greatest = f'SELECT max("{column}") FROM {table.sql}'
    return f"the sequence of {column} is behind its rows: SELECT setval({literal(sequence)}, ({greatest}))"
