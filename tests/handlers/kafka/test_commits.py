"""Commits that a broker acknowledged and does not have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers.kafka.cursor import cursor_name
from otel_stdlib.handlers.kafka.producer import SpoolProducer
from tests.handlers.elasticsearch.helpers import ListSource, make_frame, make_frames
from tests.handlers.kafka.helpers import destination, settled, stored_uids, working
from tests.servers.kafka import KafkaBroker
from tests.support import eventually


@pytest.mark.long
@pytest.mark.fault
def test_broker_killed_between_a_commit_and_its_markers(
    kafka_node: Callable[..., KafkaBroker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL right after the commit was acknowledged, twice: none lost, none twice."""
    node = kafka_node()
    node.create_topic("load")
    read_back = SpoolProducer._read_back
    kills: list[int] = []

    def kill_first(self: SpoolProducer, topic: str, cursor: Any) -> None:
        if cursor.end > 500_000 * len(kills) and len(kills) < 2:
            kills.append(cursor.end)
            node.kill()
            node.start()
        read_back(self, topic, cursor)

    monkeypatch.setattr(SpoolProducer, "_read_back", kill_first)
    source = ListSource(make_frames(2_000))
    target = destination(node.bootstrap, "load", transactional=True, batch_records=100)
    with working(target, source, dead=tmp_path / "dead"):
        eventually(lambda: settled(source), 90)
    assert len(kills) == 2
    assert stored_uids(node, "load") == dict.fromkeys(source.uids(), 1)


def test_the_spool_is_read_again_from_the_brokers_cursor(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    """Brokers that went back behind what they had acknowledged get it again: their cursor is the truth."""
    source = ListSource(make_frames(1_000))
    target = destination(kafka_broker.bootstrap, topic, transactional=True, batch_records=100)
    with working(target, source, dead=tmp_path / "dead"):
        eventually(lambda: settled(source), 60)
    group = cursor_name(target.identity, source.origin)
    from confluent_kafka import Consumer, TopicPartition

    other = Consumer({"bootstrap.servers": kafka_broker.bootstrap, "group.id": group})
    other.commit(offsets=[TopicPartition(topic, 0, 700_000)], asynchronous=False)
    other.close()
    source.add([make_frame(1_000, n=1_000)])
    target = destination(kafka_broker.bootstrap, topic, transactional=True, batch_records=100)
    with working(target, source, dead=tmp_path / "dead"):
        eventually(lambda: source.cursor > 1_000_000, 60)
    uids = source.uids()
    again = dict.fromkeys(uids[700:1_000], 2)
    assert stored_uids(kafka_broker, topic) == dict.fromkeys(uids, 1) | again
