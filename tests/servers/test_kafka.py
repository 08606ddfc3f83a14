from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.servers.kafka import KafkaBroker

confluent_kafka = pytest.importorskip("confluent_kafka")


@pytest.fixture
def topic() -> str:
    """The name of a topic that no other test has."""
    return f"test-{secrets.token_hex(6)}"


def produce(bootstrap: str, topic: str, values: list[str], **settings: Any) -> list[Any]:
    """Sends values as one idempotent producer; the errors of those that were not delivered within 20 s."""
    options = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}
    options |= {"message.timeout.ms": 20_000, **{key.replace("_", "."): settings[key] for key in settings}}
    producer = confluent_kafka.Producer(options)
    errors: list[Any] = []
    for value in values:
        producer.produce(topic, value=value, on_delivery=lambda e, _: errors.append(e) if e else None)
    assert producer.flush(60) == 0
    return errors


def values(broker: KafkaBroker, topic: str) -> list[str]:
    """The values of a topic, in order."""
    return [(message.value() or b"").decode() for message in broker.messages(topic)]


def test_stores_in_order(kafka_broker: KafkaBroker, topic: str) -> None:
    """What an idempotent producer sends can be read back in order; an unknown topic is empty."""
    sent = [str(n) for n in range(2000)]
    assert kafka_broker.messages(topic) == []
    kafka_broker.create_topic(topic)
    assert produce(kafka_broker.bootstrap, topic, sent) == []
    assert values(kafka_broker, topic) == sent


def test_killed_and_restarted_keeps_what_it_acknowledged(kafka_broker: KafkaBroker, topic: str) -> None:
    """SIGKILL after the delivery reports loses nothing; the address is the same."""
    bootstrap = kafka_broker.bootstrap
    assert produce(bootstrap, topic, ["a", "b"]) == []
    kafka_broker.kill()
    assert not kafka_broker.running
    kafka_broker.start()
    assert kafka_broker.bootstrap == bootstrap
    assert produce(bootstrap, topic, ["c"]) == []
    assert values(kafka_broker, topic) == ["a", "b", "c"]


def test_the_proxied_door_goes_through_the_proxy(kafka_broker: KafkaBroker, topic: str) -> None:
    """All of a client's connections can be cut, and its messages go on by themselves afterwards."""
    before = kafka_broker.proxy.traffic
    assert produce(kafka_broker.proxied_bootstrap, topic, ["through"]) == []
    assert kafka_broker.proxy.traffic.connections > before.connections
    kafka_broker.proxy.stop()
    assert len(produce(kafka_broker.proxied_bootstrap, topic, ["lost"], message_timeout_ms=500)) == 1
    kafka_broker.proxy.start()
    assert produce(kafka_broker.proxied_bootstrap, topic, ["again"]) == []
    assert values(kafka_broker, topic) == ["through", "again"]


def test_the_third_door_asks_for_a_password(kafka_broker: KafkaBroker, topic: str) -> None:
    """With the right password messages are stored, with a wrong one none is."""
    login = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": kafka_broker.user,
    }
    door = kafka_broker.sasl_bootstrap
    assert produce(door, topic, ["right"], sasl_password=kafka_broker.password, **login) == []
    assert len(produce(door, topic, ["wrong"], sasl_password="wrong", message_timeout_ms=1500, **login)) == 1
    assert values(kafka_broker, topic) == ["right"]
