from __future__ import annotations

from typing import Any

import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.handlers.elasticsearch.outcome import explain, read_items, refusal


def items(*statuses: int, **more: Any) -> dict[str, Any]:
    """A bulk answer."""
    return {"items": [{"create": {"status": status, **more}} for status in statuses]}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.STORED),
        (201, Verdict.STORED),
        (409, Verdict.DUPLICATE),
        (429, Verdict.RETRY),
        (500, Verdict.RETRY),
        (502, Verdict.RETRY),
        (503, Verdict.RETRY),
        (504, Verdict.RETRY),
        (401, Verdict.RETRY),
        (403, Verdict.RETRY),
        (404, Verdict.RETRY),
        (408, Verdict.RETRY),
        (400, Verdict.REJECTED),
        (413, Verdict.REJECTED),
    ],
)
def test_item(status: int, verdict: Verdict) -> None:
    """What each status of an item means."""
    answered = read_items(items(status, 400), 2)
    assert verdict is answered.outcomes[0].verdict
    assert (status in (401, 403, 404)) == bool(answered.alarm)
    assert (status in (429, 503)) == answered.pressed


@pytest.mark.parametrize(
    ("reason", "where"),
    [
        ("index [logs-acme] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded ...];", "index"),
        ("blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];", ""),
    ],
)
def test_a_block_of_one_index(reason: str, where: str) -> None:
    """It is about that index's records and is no sign of pressure, whatever its status; others are."""
    error = {"type": "cluster_block_exception", "reason": reason}
    answered = read_items(items(429, error=error), 1)
    assert answered.outcomes is not None
    assert (Verdict.RETRY, where) == (answered.outcomes[0].verdict, answered.outcomes[0].where)
    assert (where == "") == answered.pressed
    assert (where != "") == bool(answered.alarm)


def test_all_stored_needs_no_list() -> None:
    """The ordinary answer; failure stores are counted."""
    assert (None, 0, "", False, 0) == read_items(items(201, 201), 2)
    assert (None, 0, "", False, 1) == read_items(items(201, 200), 2)
    assert 2 == read_items(items(201, 201, failure_store="used"), 2).failed_over
    assert 0 == read_items(items(201, failure_store="not_enabled"), 1).failed_over


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        b"",
        [],
        {},
        {"items": None},
        {"items": []},
        items(201),
        {"items": [{}, {}]},
        items(201, 201)["items"],
    ],
)
def test_nonsense_is_an_unknown_outcome(body: object) -> None:
    """A body that is not a bulk answer for two records says nothing about them."""
    with pytest.raises(RetryableError, match="unknown"):
        read_items(body, 2)


def test_reasons_are_one_line_with_causes_and_without_secrets() -> None:
    """The reason has what caused it, and no line end or password."""
    error = {"type": "a", "reason": "b\nc", "caused_by": {"type": "d", "reason": "http://u:hunter2@x/"}}
    assert "a: b c; d: http://***@x/" == explain({"error": error})
    assert "boom" == explain({"error": "boom"})
    assert "<html>" == explain("<html>\n")
    assert "" == explain(None)
    assert 1_000 == len(explain("x" * 5_000))


def test_refusals() -> None:
    """Requests that were turned away whole."""
    error = {"error": {"type": "t", "reason": "r"}}
    assert isinstance(refusal(400, {}, error, "h"), PermanentError)
    # A gateway's page is not the server's word on the records.
    assert isinstance(refusal(400, {}, "<html>", "h"), RetryableError)
    for status in (301, 401, 403, 404, 405, 429, 500, 502, 503, 504):
        found = refusal(status, {}, error, "h")
        assert isinstance(found, RetryableError)
        assert str(status) in str(found)
    throttled = refusal(429, {"retry-after": "7"}, error, "h")
    assert isinstance(throttled, ThrottledError)
    assert 7.0 == throttled.retry_after
    assert not isinstance(refusal(503, {"retry-after": "soon"}, error, "h"), ThrottledError)
    assert 3_600.0 == refusal(503, {"retry-after": "1e9"}, error, "h").retry_after
    assert "'basic_auth' or 'api_key'" in str(refusal(401, {}, error, "h"))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (
            "validation_exception",
            "Validation Failed: 1: this cluster currently has [1000]/[1000] maximum normal shards open;",
        ),
        ("index_closed_exception", "closed"),
        ("illegal_argument_exception", "no write index is defined for alias [a]."),
        ("illegal_argument_exception", "pipeline with id [a] does not exist"),
    ],
)
def test_400s_of_the_cluster_wait_with_advice(kind: str, reason: str) -> None:
    """Also as the cause of another error."""
    error = {"type": kind, "reason": reason}
    for found in (error, {"type": "exception", "reason": "x", "caused_by": error}):
        answered = read_items(items(400, error=found), 1)
        assert answered.outcomes is not None
        assert answered.outcomes[0].verdict is Verdict.RETRY
        assert reason in answered.alarm
        assert answered.alarm.endswith(")")


def test_a_pipeline_that_fails_on_purpose_refuses() -> None:
    """Its status is 500, and will be 500 each time."""
    error = {"type": "fail_processor_exception", "reason": "no"}
    answered = read_items(items(500, error=error), 1)
    assert answered.outcomes is not None
    assert answered.outcomes[0].verdict is Verdict.REJECTED


def test_another_major_version_waits() -> None:
    """Whatever request it answers."""
    error = {"error": {"type": "media_type_header_exception", "reason": "Invalid media-type"}}
    found = refusal(400, {}, error, "h")
    assert isinstance(found, RetryableError)
    assert "another major version" in str(found)
    assert "credentials (407)" in str(refusal(407, {}, "<html>", "h"))
