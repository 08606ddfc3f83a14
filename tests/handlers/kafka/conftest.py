from __future__ import annotations

import secrets

import pytest

from tests.servers.kafka import KafkaBroker


@pytest.fixture
def topic(kafka_broker: KafkaBroker) -> str:
    """A topic that no other test has."""
    name = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(name)
    return name
