from __future__ import annotations

import pytest

from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.handlers.postgres.errors import Failure, classify, is_stale


@pytest.mark.parametrize(
    "code",
    [
        *("22P02", "22021", "22P05", "22001", "22003", "23502", "23505", "23514", "54000", "44000"),
        *(
            "09000",
            "20000",
            "21000",
            "27000",
            "2F002",
            "38001",
            "39001",
            "P0001",
            "P0002",
            "P0004",
            "45000",
            "MY001",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_permanent(code: str) -> None:
    """The delivery thread halves such a batch."""
    error = classify(Failure(code, "bad"))
    assert type(error) is PermanentError
    assert code in str(error)


@pytest.mark.parametrize(
    "code",
    [
        None,
        "08006",
        "0A000",
        "25006",
        "28P01",
        "28000",
        "3D000",
        "2200H",
        "40001",
        "40P01",
        "42501",
        "42703",
        "42P01",
        "53100",
        "53200",
        "53300",
        "55P03",
        "57014",
        "57P01",
        "57P02",
        "57P03",
        "58030",
        "XX000",
        "XX001",
    ],
)
def test_what_is_wrong_with_the_server_is_tried_again(code: str | None) -> None:
    """Nothing of it says that a record can never be stored."""
    assert type(classify(Failure(code, "bad"))) is RetryableError


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("25006", "read-only"),
        ("28P01", "password"),
        ("42501", "grant INSERT"),
        ("53100", "disk is full"),
        ("2200H", "bigint"),
    ],
)
def test_the_message_says_what_to_do(code: str, word: str) -> None:
    """Codes that an operator has to act on come with advice."""
    assert word in str(classify(Failure(code, "bad")))


def test_which_errors_make_the_table_looked_at_again() -> None:
    """A dropped table or column, not a full disk."""
    assert is_stale("42P01")
    assert is_stale("42703")
    assert not is_stale("53100")
    assert not is_stale(None)


def test_a_server_without_tls_comes_with_the_way_out() -> None:
    """Libpq's own words name no option."""
    error = classify(Failure(None, "server does not support SSL, but SSL was required"))
    assert type(error) is RetryableError
    assert "'sslmode: disable'" in str(error)


def test_a_name_that_is_unknown_while_rows_are_read_is_a_triggers() -> None:
    """The table itself is known by then; a missing right may be one for its sequence."""
    error = classify(Failure("42P01", 'relation "audit" does not exist'), in_rows=True)
    assert type(error) is PermanentError
    assert "create_table" not in str(error)
    assert type(classify(Failure("42501", "permission denied"), in_rows=True)) is RetryableError
