"""A call that is still on its way has its producer for itself, and the producer ends with it."""

from __future__ import annotations

import gc
import secrets
import threading
from collections.abc import Iterator

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.kafka import cursor
from otel_stdlib.handlers.kafka.client import Handle
from otel_stdlib.handlers.kafka.cursor import Cursor, group_metadata, pack_cursor, send_cursor
from tests.servers.kafka import KafkaBroker
from tests.support import eventually

confluent_kafka = pytest.importorskip("confluent_kafka")
KafkaException, Producer = confluent_kafka.KafkaException, confluent_kafka.Producer


@pytest.fixture
def producers() -> Iterator[set[int]]:
    """The producers that were there before. Nothing that only the garbage collector frees is freed meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield {id(each) for each in gc.get_objects() if isinstance(each, Producer)}
    finally:
        gc.enable()


def made_since(before: set[int]) -> int:
    """How many producers of the test are alive."""
    return sum(isinstance(each, Producer) and id(each) not in before for each in gc.get_objects())


def is_left(thread: threading.Thread) -> bool:
    """Whether it is that of a call which nobody waits for."""
    return thread.name == "left-by-otel-stdlib-kafka"


def in_transaction(broker: KafkaBroker, name: str) -> Handle:
    """A producer with an open transaction."""
    settings = {"bootstrap.servers": broker.bootstrap, "transactional.id": name}
    handle = Handle(settings, broker.bootstrap)
    handle.producer.init_transactions(30.0)
    handle.producer.begin_transaction()
    return handle


def send(broker: KafkaBroker, handle: Handle, name: str, topic: str) -> None:
    """Send a cursor."""
    metadata = group_metadata({"bootstrap.servers": broker.bootstrap}, name)
    send_cursor(handle, pack_cursor(topic, Cursor(1)), metadata, 30.0)


def test_a_call_that_is_left_behind_keeps_its_producer(
    kafka_broker: KafkaBroker, topic: str, producers: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discarding the handle touches nothing; the producer ends when the call returns."""
    before = set(threading.enumerate())  # an earlier test may have left a call behind
    name = f"left-{secrets.token_hex(4)}"
    handle = in_transaction(kafka_broker, name)
    monkeypatch.setattr(cursor, "_COORDINATOR", 0.0)
    with pytest.raises(RetryableError, match="did not answer"):
        send(kafka_broker, handle, name, topic)
    assert handle.producer is None
    handle.discard()
    # The next one of the same id fences it, which ends the call.
    fencing = Handle({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": name}, "here")
    fencing.producer.init_transactions(30.0)
    fencing.discard()
    eventually(lambda: made_since(producers) == 0, 60)
    eventually(
        lambda: not [each for each in threading.enumerate() if is_left(each) and each not in before], 60
    )


def test_a_call_that_fails_keeps_no_producer(
    kafka_broker: KafkaBroker, topic: str, producers: set[int]
) -> None:
    """The producer ends when it is discarded, not when garbage is collected."""
    name = f"fenced-{secrets.token_hex(4)}"
    handle = in_transaction(kafka_broker, name)
    fencing = in_transaction(kafka_broker, name)
    try:
        with pytest.raises(KafkaException):
            send(kafka_broker, handle, name, topic)
    finally:
        handle.discard()
        fencing.discard()
    eventually(lambda: made_since(producers) == 0, 60)  # the thread of the call may be about to end
