from __future__ import annotations

import logging
import logging.config
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import KafkaHandler
from otel_stdlib.handlers.kafka import KafkaOptions
from tests.support import needs_kafka

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topik": "x"}, r"unknown option 'topik'.*'topic'"),
        ({"bootstrap_servers": []}, "'bootstrap_servers'"),
        ({"bootstrap_servers": "localhost"}, "'bootstrap_servers'"),
        ({"bootstrap_servers": ["localhost:99999"]}, "'bootstrap_servers'"),
        ({"topic": ""}, "'topic'"),
        ({"topic": "a b"}, "'topic'"),
        ({"topic": ".."}, "'topic'"),
        ({"topic": 5}, "'topic'"),
        ({"topic": "x" * 250}, "'topic'"),
        ({"client": "linger.ms=5"}, "'client'"),
        ({"client": {"bootstrap.servers": "x:1"}}, "'bootstrap_servers'"),
        ({"client": {"message.timeout.ms": 5}}, "'timeout'"),
        ({"client": {"transactional.id": "x"}}, "'transactional'"),
        ({"client": {"acks": 0}}, "no record is known"),
        ({"client": {"acks": 1}, "transactional": True}, "'transactional'"),
        ({"transactional": "yes"}, "'transactional'"),
        ({"timeout": 0}, "'timeout'"),
        ({"timeout": 901}, "'timeout'"),
        ({"batch_records": 0}, "'batch_records'"),
        ({"batch_bytes": True}, "'batch_bytes'"),
        ({"retry_delay": -1}, "'retry_delay'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    """Each wrong value is an error at construction that quotes the option."""
    with pytest.raises(ConfigError, match=message):
        KafkaOptions.of(options)


@needs_kafka
@pytest.mark.parametrize(
    ("client", "message"),
    [
        ({"linger.msec": 5}, "linger.msec"),
        ({"compression.type": "zip"}, "zip"),
        ({"linger.ms": "soon"}, "Invalid value"),
        ({"stats_cb": 5}, "stats_cb"),
    ],
)
def test_librdkafka_judges_its_own_settings_at_construction(client: dict[str, Any], message: str) -> None:
    """A wrong setting of librdkafka fails when the handler is made, not when the first record is sent."""
    with pytest.raises(ConfigError, match=message):
        KafkaHandler(client=client)


def test_servers_are_read_in_every_form() -> None:
    """Text with commas, a list and IPv6 addresses are the same brokers."""
    assert KafkaOptions(bootstrap_servers="a:1, b:2").bootstrap_servers == ("a:1", "b:2")
    assert KafkaOptions(bootstrap_servers=["a:1", "[::1]:9092"]).servers == "a:1,[::1]:9092"


def test_idempotent_with_every_acknowledgement_unless_asked_otherwise() -> None:
    """``acks=all`` and idempotence hold by default; ``acks: 1`` takes idempotence away, as librdkafka wants."""
    settings = KafkaOptions().settings
    assert (settings["acks"], settings["enable.idempotence"]) == ("all", True)
    settings = KafkaOptions(client={"acks": 1, "linger.ms": 50}).settings
    assert (settings["acks"], settings["enable.idempotence"], settings["linger.ms"]) == ("1", False, 50)


@needs_kafka
def test_secrets_are_not_shown() -> None:
    """Passwords among the client's settings stand in no ``repr``, identity or report."""
    handler = KafkaHandler(client={"sasl.mechanisms": "PLAIN", "sasl.password": "hunter2"})
    assert "hunter2" not in f"{handler!r} {handler.options!r} {handler.identity!r} {handler.health()!r}"


def test_the_documentation_names_every_option() -> None:
    """``docs/kafka.md`` has every option."""
    text = (ROOT / "docs" / "kafka.md").read_text()
    missing = [item.name for item in fields(KafkaOptions) if item.init and f"`{item.name}`" not in text]
    assert [] == missing


@needs_kafka
def test_the_example_is_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``examples/kafka.yaml`` configures logging as it stands."""
    monkeypatch.chdir(tmp_path)
    logging.config.dictConfig(yaml.safe_load((ROOT / "examples" / "kafka.yaml").read_text()))
    made = [ref() for ref in logging._handlerList]
    (handler,) = (each for each in made if isinstance(each, KafkaHandler) and each.name == "kafka")
    assert handler.options.topic == "shop-logs"


@needs_kafka
def test_without_the_client_and_without_use() -> None:
    """A missing driver is named with the line that installs it; one that is there is not imported for nothing."""
    program = (
        "import sys, threading\n"
        "from otel_stdlib.handlers import KafkaHandler\n"
        "KafkaHandler()\n"
        "assert 'confluent_kafka' not in sys.modules and threading.active_count() == 1\n"
        "sys.modules['confluent_kafka'] = None\n"
        "try:\n    KafkaHandler()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert "MissingExtraError" in done.stdout
    assert "pip install 'otel_stdlib[kafka]'" in done.stdout
