"""When refusals are an outage."""

from __future__ import annotations

import pytest

from otel_stdlib.delivery.guard import REFUSALS, VARIOUS, Guard, reason_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("failed for 'alice'", "failed for 'bob'"),
        ('For input string: "many"', 'For input string: "few"'),
        (
            "document with id 01M891H8K4024506H6KDTPBNRN-00000000000040",
            "document with id 01M891-000000000001",
        ),
        ("[1:57] no such index [app-logs-2026.11.30]", "[1:1203] no such index [app-logs-2026.12.01]"),
        ("413 a document of 100000 bytes", "413 a document of 90 bytes"),
    ],
)
def test_what_belongs_to_a_record_is_no_part_of_the_reason(one: str, other: str) -> None:
    """Ids, numbers and quoted values."""
    assert reason_key(one) == reason_key(other)


def test_words_make_a_reason() -> None:
    """Fields and errors stay."""
    assert reason_key("failed to parse field [a]") != reason_key("failed to parse field [b]")
    assert reason_key("index_closed_exception: closed") != reason_key("cluster_block_exception: blocked")
    assert len(reason_key("word " * 10_000)) <= 300


def test_a_run_for_one_reason() -> None:
    """The tenth refusal in a row for one reason, in however many answers."""
    guard = Guard()
    assert not guard.refused(["full"] * (REFUSALS - 1))
    assert not guard.waiting
    assert guard.refused(["full"])
    assert guard.waiting
    assert guard.reason == "full"


def test_a_stored_record_ends_a_run() -> None:
    """It also ends an outage, and counting begins anew."""
    guard = Guard()
    guard.refused(["full"] * (REFUSALS - 1))
    assert not guard.took()
    assert not guard.refused(["full"])
    assert guard.refused(["full"] * REFUSALS)
    assert guard.took()
    assert not guard.waiting


def test_another_reason_begins_another_run() -> None:
    """But a longer run of various reasons is an outage as well."""
    guard = Guard()
    words = ["full", "closed"]
    assert not guard.refused([words[n % 2] for n in range(VARIOUS - 1)])
    assert guard.refused(["gone"])
    assert guard.reason == ""
