from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from otel_stdlib.handlers.kafka.message import lsn_digits, messages, trace_key
from otel_stdlib.handlers.kafka.naming import TopicPattern
from otel_stdlib.handlers.kafka.outcome import ALONE, TOO_LARGE_HERE, final_outcome
from tests.handlers.elasticsearch.helpers import make_batch, make_frame

TRACE = "0af7651916cd43dd8448eb211c80319c"
FIELDS = {"trace_id": TRACE, "span_id": "b7ad6b7169203331", "trace_flags": "01"}


def test_a_message_is_the_whole_line_with_its_headers() -> None:
    """Value, key, headers and timestamp are the record's own."""
    batch = make_batch([make_frame(1, at=1_767_225_600.25, user="x", **FIELDS)])
    (found,) = messages(batch.frames, batch.origin, TopicPattern("logs"))
    lsn, topic, value, key, headers, timestamp = found
    record = orjson.loads(value)
    uid = batch.uid(batch.frames[0])
    assert record["attributes"]["log.record.uid"] == uid
    assert record["resource"]["service.name"] == "shop"
    assert (lsn, topic, key, timestamp) == (batch.frames[0].lsn, "logs", TRACE.encode(), 1_767_225_600_250)
    assert headers == [
        ("log.record.uid", uid.encode()),
        ("severity_number", b"9"),
        ("content-type", b"application/json"),
    ]


def test_the_key_without_a_trace_is_the_uid() -> None:
    """Records of no trace spread over the partitions."""
    batch = make_batch([make_frame(1)])
    (found,) = messages(batch.frames, batch.origin, TopicPattern("logs"))
    assert found[3] == batch.uid(batch.frames[0]).encode()


@pytest.mark.parametrize(
    ("message", "extra", "key"),
    [
        ("hello", FIELDS, TRACE),
        ('said ,"trace_id":"nonsense"', {}, None),
        ('said ,"trace_id":"nonsense"', FIELDS, TRACE),
        ({"a": 1, "trace_id": "f" * 32}, {}, None),
        ({"a": 1, "trace_id": "f" * 32}, FIELDS, TRACE),
        ("hello", {"nested": {"a": 1, "trace_id": "f" * 32}}, None),
    ],
)
def test_the_key_is_the_record_s_own_trace(message: Any, extra: dict[str, Any], key: str | None) -> None:
    """Look-alikes in the body and the attributes are not taken for it."""
    found = trace_key(make_frame(1, message, **extra).payload)
    assert (None if found is None else found.decode()) == key


@pytest.mark.parametrize("lsn", [0, 1, (7 << 32) | 64, (1 << 56) - 1])
def test_a_value_tells_its_lsn(lsn: int) -> None:
    """What a delivery report is matched by: the digits stand at one place in all values of an origin."""
    payload = make_frame(1, "é" * 50, user="x").payload
    batch = make_batch([make_frame(1)._replace(lsn=lsn, payload=payload)])
    (found,) = messages(batch.frames, batch.origin, TopicPattern("logs"))
    assert int(found[2][lsn_digits(batch.origin)], 16) == lsn


def test_the_future_is_cut_to_now() -> None:
    """A broker refuses timestamps that lie an hour ahead; the value keeps the event's own time."""
    batch = make_batch([make_frame(1, at=time.time() + 86_400)])
    (found,) = messages(batch.frames, batch.origin, TopicPattern("logs"))
    assert found[5] <= time.time() * 1_000


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("MSG_SIZE_TOO_LARGE", "rejected"),
        (TOO_LARGE_HERE, "rejected"),
        ("INVALID_RECORD", "rejected"),
        ("INVALID_TIMESTAMP", "retry"),
        ("_UNKNOWN_TOPIC", "retry"),
        ("TOPIC_AUTHORIZATION_FAILED", "retry"),
        ("_MSG_TIMED_OUT", "retry"),
        ("_PURGE_QUEUE", "retry"),
    ],
)
def test_errors_and_verdicts(name: str, verdict: str) -> None:
    """Only what a record itself is at fault for rejects it."""
    assert final_outcome(name, "text").verdict.value == verdict
    assert TOO_LARGE_HERE not in ALONE
