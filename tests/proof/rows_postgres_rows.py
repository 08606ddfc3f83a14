"""What PostgreSQL answers of rows; by SQLSTATE."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "PostgreSQL",
    "postgres",
    {
        "test_row_answers.py::test_records_wait_for_a_table_that_refuses_every_row": (
            (
                "23503_all",
                "23503: a foreign key refuses every record",
                WAITS,
                "violates foreign key constraint",
                "add the row that is missing, or drop the constraint",
            ),
            (
                "23514_all",
                "23514: a check refuses every record",
                WAITS,
                "violates check constraint",
                "correct the constraint",
            ),
            ("P0001_all", "P0001: a trigger refuses every record", WAITS, "not ready", "repair the trigger"),
            (
                "42P01_all",
                "42…: a trigger uses a table, a column or a function that is not there",
                WAITS,
                "in a trigger or a function of the table",
                "repair the trigger, or make what it uses",
            ),
            (
                "own_code_all",
                "a trigger refuses every record with an SQLSTATE of its own",
                WAITS,
                "MY001",
                "repair the trigger",
            ),
        ),
        "test_row_answers.py::test_a_row_is_refused": (
            (
                "23505_theirs",
                "23505 on a column that records fill",
                LETTER,
                "violates unique constraint",
                "nothing, or correct the record or the index and `replay`",
            ),
            (
                "23502_theirs",
                "23502: a record has no value for a column that must not be NULL",
                LETTER,
                "violates not-null constraint",
                "let the column be NULL, then `replay`",
            ),
            (
                "23503_one",
                "23503: a foreign key refuses one record among good ones",
                LETTER,
                "violates foreign key constraint",
                "nothing, or add the row that is missing and `replay`",
            ),
            (
                "23514_one",
                "23514: a check refuses one record among good ones",
                LETTER,
                "violates check constraint",
                "nothing, or correct the constraint and `replay`",
            ),
            (
                "54000",
                "54000: a value is too long for an index of yours",
                LETTER,
                "54000",
                "index the beginning or a hash of the column instead, then `replay`",
            ),
            (
                "22012",
                "22…: a generated column or an index fails for one record",
                LETTER,
                "division by zero",
                "correct the expression, then `replay`",
            ),
            (
                "P0001_one",
                "P0001: a trigger refuses one record among good ones",
                LETTER,
                "P0001",
                "nothing, or correct the trigger and `replay`",
            ),
            (
                "P0002_one",
                "P0002 to P0004: a trigger fails for one record among good ones",
                LETTER,
                "P0002",
                "correct the trigger, then `replay`",
            ),
            (
                "42P01_one",
                "42…: a trigger fails so for one record among good ones",
                LETTER,
                "in a trigger or a function of the table",
                "repair the trigger, or make what it uses, then `replay`",
            ),
            (
                "own_code_one",
                "a trigger refuses one record with an SQLSTATE of its own",
                LETTER,
                "MY001",
                "nothing, or correct the trigger and `replay`",
            ),
        ),
        "test_row_answers.py::test_a_character_that_the_database_does_not_have": (
            (
                "22P05",
                "22P05: a character that the database's encoding does not have",
                LETTER,
                "22P05",
                "use a database in UTF-8, then `replay`",
            ),
        ),
        "test_row_answers.py::test_records_are_stored_all_the_same": (
            ("22021", "a text has U+0000", STORED, "", "nothing: `otel_stdlib.repaired` tells"),
            (
                "22003_theirs",
                "a number is beyond the type of a column of `columns`",
                STORED,
                "",
                "nothing: the column is NULL, the value is in `attributes`",
            ),
            (
                "22P02",
                "a value is not of the type of a column of `columns`",
                STORED,
                "",
                "nothing: the column is NULL, the value is in `attributes`",
            ),
            (
                "22001",
                "a column becomes shorter while the process runs",
                STORED,
                "",
                "nothing: `otel_stdlib.repaired` tells which value is cut",
            ),
            ("42703", "42703: a column is dropped while the process runs", STORED, "", "nothing"),
            ("42804", "42804: a column gets another type while the process runs", STORED, "", "nothing"),
            ("42P01", "42P01: the tables are dropped", STORED, "it is made again", "nothing"),
            ("57P01", "57P01: an administrator ends the connection", STORED, "", "nothing"),
            ("57P02", "57P02: the server crashes and recovers", STORED, "", "nothing"),
        ),
    },
)
