"""A topic that refuses record after record, by the real brokers: an outage, or bad records."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from otel_stdlib.delivery.contract import STORED, Verdict
from otel_stdlib.delivery.guard import REFUSALS
from tests.handlers.elasticsearch.helpers import ListSource, make_batch, make_frame, make_frames
from tests.handlers.kafka.helpers import destination, settled, stored_uids, working
from tests.servers.kafka import KafkaBroker
from tests.support import eventually

BOTH = pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactional"])


@BOTH
def test_a_long_run_of_bad_records_does_not_stop_the_others(
    kafka_broker: KafkaBroker, transactional: bool, tmp_path: Path
) -> None:
    """Each too large for its topic: dead letters, once a record beyond them is known to be taken."""
    topic = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(topic, max_message_bytes="4000")
    source = ListSource([make_frame(n, "x" * 20_000) for n in range(3 * REFUSALS)])
    target = destination(kafka_broker.bootstrap, topic, transactional=transactional)
    with working(target, source, dead=tmp_path / "dead") as worker:
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
        assert worker.snapshot()["rejected"] == 0
        source.add([make_frame(n, n=n) for n in range(100, 150)])
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 3 * REFUSALS
        assert worker.snapshot()["circuit_breaker"] == "closed"
    assert stored_uids(kafka_broker, topic) == dict.fromkeys(source.uids()[3 * REFUSALS :], 1)


def test_trying_a_record_out_stores_nothing(kafka_broker: KafkaBroker) -> None:
    """The transaction is aborted, and the position stays."""
    topic = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(topic, max_message_bytes="4000")
    target = destination(kafka_broker.bootstrap, topic, transactional=True)
    target.open()
    good, bad = make_batch(make_frames(1)), make_batch([make_frame(0, "x" * 20_000)])
    assert target.try_out(good) == STORED
    assert target.position(good.origin) is None
    assert target.try_out(bad).verdict is Verdict.REJECTED
    assert target.deliver(good) is None
    target.close()
    assert stored_uids(kafka_broker, topic) == {good.uid(good.frames[0]): 1}
