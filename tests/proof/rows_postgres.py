"""What PostgreSQL, and what is in front of it, answers of itself, the account and the table; by SQLSTATE."""

from __future__ import annotations

from tests.proof.row import WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "PostgreSQL",
    "postgres",
    {
        "test_answers.py::test_records_wait": (
            (
                "23505_ours",
                "23505 on `id`: its sequence is behind the rows, as after a restore or a logical upgrade",
                WAITS,
                "is behind its rows: SELECT setval(",
                "run the `setval` statement of the report",
            ),
            (
                "22003_ours",
                "22003 on `id`: its sequence is beyond the column's type",
                WAITS,
                "the type bigint",
                "`ALTER TABLE otel_logs ALTER COLUMN id TYPE bigint`",
            ),
            (
                "2200H",
                "2200H: the sequence of `id` is used up",
                WAITS,
                "its sequence is used up",
                "give `id` and its sequence the type `bigint`, or raise the sequence's `MAXVALUE`",
            ),
            (
                "23502_ours",
                "23502: a column that no record fills must not be NULL",
                WAITS,
                "wants values for tenant",
                "give the column a default, or let it be NULL",
            ),
            (
                "25006",
                "25006: the server only reads, as after a failover",
                WAITS,
                "the server is read-only",
                "nothing if `host` leads to the new primary; otherwise correct it, or use `target_session_attrs`",
            ),
            (
                "28P01",
                "28P01: the password is wrong",
                WAITS,
                "password authentication failed",
                "correct `password`",
            ),
            (
                "28000",
                "28000: the account may not log in",
                WAITS,
                "is not permitted to log in",
                "`ALTER ROLE … LOGIN`, or correct `user` or the server's `pg_hba.conf`",
            ),
            (
                "3D000",
                "the database does not exist (3D000) or takes no connections (55000)",
                WAITS,
                "not currently accepting connections",
                "correct `database`, or `ALTER DATABASE … ALLOW_CONNECTIONS true`",
            ),
            (
                "42501",
                "42501: the account may not insert",
                WAITS,
                "grant INSERT on the table",
                "grant the rights that the report names",
            ),
            (
                "42501_offsets",
                "42501: the account may not write to the offsets table",
                WAITS,
                "permission denied for table otel_logs_offsets",
                "grant the rights that the report names",
            ),
            (
                "42501_policy",
                "42501: row-level security applies to the account",
                WAITS,
                "row-level security applies to this account",
                "make the account the owner of both tables, or give it `BYPASSRLS`",
            ),
            (
                "42P01_off",
                "42P01: the table is gone, and `create_table` is off",
                WAITS,
                "'create_table' is off",
                "make the table",
            ),
            (
                "42P01_forbidden",
                "42P01: the table is gone, and the account may not make it",
                WAITS,
                "permission denied for schema",
                "make the table, or grant CREATE on the schema",
            ),
            (
                "53300",
                "53300: the server, the database or the account has no connection left",
                WAITS,
                "too many connections",
                "raise the limit, or end idle sessions",
            ),
            (
                "55P03",
                "55P03: the table is locked for longer than `lock_timeout`",
                WAITS,
                "55P03",
                "end the session that holds the lock",
            ),
            (
                "57014",
                "57014: the table is locked for longer than `statement_timeout`",
                WAITS,
                "57014",
                "end the session that holds the lock",
            ),
            (
                "57P03",
                "57P03: the server starts, recovers or shuts down",
                WAITS,
                "the database system is shutting down",
                "nothing",
            ),
            (
                "08006",
                "08001, 08006: no connection, or it is lost",
                WAITS,
                "Connection refused",
                "start the server, or correct `host` and `port`",
            ),
            (
                "08P01",
                "08P01: a pooler has no connection to give",
                WAITS,
                "server closed the connection unexpectedly",
                "see the pooler's log: end the sessions that hold the pool, or raise its `default_pool_size`",
            ),
        ),
        "test_disk.py::test_a_full_disk_is_waited_for": (
            (
                "53100",
                "53100: the server's disk is full",
                WAITS,
                "disk is full",
                "free disk space on the server",
            ),
        ),
        "test_outages.py::test_a_missing_partition_is_waited_for": (
            (
                "23514_partition",
                "23514: a table that you partition yourself has no partition for a record of today",
                WAITS,
                "make the partition for",
                "make the partition that the report names, or a DEFAULT partition",
            ),
        ),
    },
)
