from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_stdlib.facts.errors import RetryableError, ThrottledError
from otel_stdlib.handlers.otlp.outcome import Partial, explain, read_partial, refused, retry_after

PROTOBUF = "application/x-protobuf"
NOW = 1_792_584_000.0  # 2026-10-21 12:00:00 UTC


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2026 12:00:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("nan", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date; a date that is past asks for no pause."""
    assert seconds == retry_after(value, NOW)


def test_only_a_pause_that_was_asked_for_throttles() -> None:
    """Without ``Retry-After`` it is a failure like others."""
    assert type(refused({}, "503", NOW)) is RetryableError
    asked = refused({"retry-after": "3"}, "503", NOW)
    assert isinstance(asked, ThrottledError)
    assert 3.0 == asked.retry_after


def test_partial_success_in_both_encodings() -> None:
    """64-bit integers are texts in JSON; nothing said is all well."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = 3
    response.partial_success.error_message = "too  old\n"
    assert Partial(3, "too old") == read_partial(PROTOBUF, response.SerializeToString())
    text = b'{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}'
    assert Partial(3, "too old") == read_partial("application/json; charset=utf-8", text)
    for kind, body in ((PROTOBUF, b""), ("application/json", b"{}"), ("", b"")):
        assert Partial() == read_partial(kind, body)


def test_answers_that_are_not_otlps() -> None:
    """A web page is no answer; anything else is taken at its status."""
    with pytest.raises(RetryableError, match="'endpoint'"):
        read_partial("text/html; charset=utf-8", b"<html>")
    for kind, body in (
        (PROTOBUF, b"\xff\xff"),
        ("application/json", b"[1"),
        ("text/plain", b"ok"),
        ("", b"[]"),
    ):
        assert not read_partial(kind, body).readable


def test_reasons() -> None:
    """A ``google.rpc.Status`` in both encodings, or text on one line; no secrets."""
    assert "no, sir" == explain(PROTOBUF, b"\x08\x03\x12\x07no, sir")
    assert "no" == explain("application/json", b'{"code":3,"message":"no"}')
    assert "a b" == explain("text/plain", b"a\n b")
    assert "" == explain(PROTOBUF, b"\xff")
    assert "hunter2" not in explain("text/plain", b"password=hunter2")
