"""A password that is rotated at the broker and in its file: Kafka."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.handlers.rotation import counted, rotating
from tests.servers.kafka import KafkaBroker

USER = "shop"


@pytest.mark.slow
@pytest.mark.parametrize("transactional", [False, True])
def test_a_rotated_password_is_read_again(
    kafka_node: Callable[..., KafkaBroker],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    transactional: bool,
) -> None:
    """Authentication fails until the file has the new one; then everything that waited is stored."""
    broker = kafka_node()
    broker.create_topic("rotated")

    def handler(variable: str) -> dict[str, Any]:
        return {
            "class": "otel_stdlib.handlers.KafkaHandler",
            "bootstrap_servers": broker.sasl_bootstrap,
            "topic": "rotated",
            "transactional": transactional,
            "timeout": 5.0,
            "client": {
                "security.protocol": "sasl_plaintext",
                "sasl.mechanism": "SCRAM-SHA-256",
                "sasl.username": USER,
                "sasl.password": variable,
                "reconnect.backoff.max.ms": 500,
            },
        }

    def change() -> str:
        password = secrets.token_urlsafe(12)
        broker.set_password(USER, password)
        broker.stop()  # connections that stand are not asked again
        broker.start()
        return password

    def stored() -> Mapping[str, int]:
        return counted(orjson.loads(message.value() or b"")["body"] for message in broker.messages("rotated"))

    first = secrets.token_urlsafe(12)
    broker.set_password(USER, first)
    with rotating(tmp_path, handler, first) as rotation:
        rotation.survives(change, stored, capsys)
