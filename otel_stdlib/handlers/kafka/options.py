"""The options of the Kafka back end, checked where they are given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_flag, check_names, check_seconds, check_whole
from otel_stdlib.handlers.kafka.naming import TopicPattern
from otel_stdlib.handlers.lifetime import ConnectionOptions
from otel_stdlib.handlers.renewal import Renewable, make_renewable

__all__ = ["KafkaOptions"]

_COUNTS = {"batch_records": (1, 100_000), "batch_bytes": (1, 256 << 20)}
_SERVER = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^\s:,/@\[\]]+):[0-9]{1,5}")
#: Settings of librdkafka that the handler needs for itself, and what to use in their place.
_OWNED = {
    "bootstrap.servers": "option 'bootstrap_servers'",
    "metadata.broker.list": "option 'bootstrap_servers'",
    "transactional.id": "option 'transactional'",
    "transaction.timeout.ms": "option 'timeout'",
    "message.timeout.ms": "option 'timeout'",
    "delivery.timeout.ms": "option 'timeout'",
    "delivery.report.only.error": "nothing: the reports are the handler's",
    "on_delivery": "nothing: the reports are the handler's",
    "error_cb": "nothing: health() has the last error",
    "logger": "the logger 'otel_stdlib.debug'",
}


@dataclass(frozen=True)
class KafkaOptions(ConnectionOptions, Renewable):
    """Where records go and how. Times in seconds, sizes in bytes.

    Raises:
        ConfigError: a value is wrong; the message quotes the option and never a secret.
    """

    #: ``host:port``, several of them with commas or as a list.
    bootstrap_servers: str | tuple[str, ...] | list[str] = ("localhost:9092",)
    #: A topic's name; ``{attribute}`` in it stands for a record's value.
    topic: str = "otel-logs"
    #: Settings of librdkafka, by its own names.
    client: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: Send each batch and the spool's cursor in one transaction.
    transactional: bool = False
    #: The longest that one try waits for the broker.
    timeout: float = 30.0
    #: Records in flight at most: what is handed to the client before its reports are waited for.
    batch_records: int = 20_000
    #: Bytes in flight at most, about.
    batch_bytes: int = 8 << 20
    #: How long a batch that is not full waits for more.
    batch_age: float = 0.0

    def __post_init__(self) -> None:
        self.check_connections()
        object.__setattr__(self, "bootstrap_servers", _servers(self.bootstrap_servers))
        object.__setattr__(self, "naming", TopicPattern(self.topic))
        object.__setattr__(self, "client", _client(self.client))
        check_flag("transactional", self.transactional)
        for name, (low, high) in _COUNTS.items():
            check_whole(name, getattr(self, name), low, high)
        # A broker's transaction.max.timeout.ms is 15 minutes.
        check_seconds("timeout", self.timeout, high=900)
        if self.transactional and self.settings["enable.idempotence"] is False:
            raise ConfigError(
                "option 'transactional' needs 'acks: all' and 'enable.idempotence: true' in 'client'",
                option="transactional",
            )
        object.__setattr__(self, "policy", DeliveryPolicy.of(self))

    #: Parsed from ``topic``.
    naming: TopicPattern = field(init=False, repr=False, compare=False)
    #: Limits and times of delivery, made from the options above.
    policy: DeliveryPolicy = field(init=False, repr=False, compare=False)

    @property
    def servers(self) -> str:
        """The brokers' addresses, with commas."""
        return ",".join(self.bootstrap_servers)

    @property
    def settings(self) -> dict[str, Any]:
        """What every producer is made with."""
        # "acks" has a second name.
        acks = str(self.client.get("acks", self.client.get("request.required.acks", "all")))
        idempotent = self.client.get("enable.idempotence", acks in ("all", "-1"))
        if str(idempotent).lower() in ("true", "false"):
            idempotent = str(idempotent).lower() == "true"
        given = {
            name: value
            for name, value in self.client.items()
            if name not in ("acks", "request.required.acks", "enable.idempotence")
        }
        return {
            "client.id": "otel_stdlib",
            "linger.ms": 5,
            "socket.keepalive.enable": self.tcp_keepalive > 0,
            "connections.max.idle.ms": int(self.connection_max_idle * 1_000),
            **given,
            "bootstrap.servers": self.servers,
            "acks": acks,
            "enable.idempotence": idempotent,
        }

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> KafkaOptions:
        """Options from a mapping, as configuration files give them.

        Raises:
            ConfigError: an option is unknown (the message has the nearest known one) or wrong.
        """
        known = [item.name for item in fields(cls) if item.init]
        check_names(options, known, "unknown option {} for Kafka (librdkafka's own go under 'client')")
        return make_renewable(cls(**options), cls.of, options)


def _servers(value: object) -> tuple[str, ...]:
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(
            "option 'bootstrap_servers' must be host:port or a list of them", option="bootstrap_servers"
        )
    found = []
    for number, entry in enumerate(given, 1):
        server = entry.strip() if isinstance(entry, str) else ""
        if not _SERVER.fullmatch(server) or int(server.rpartition(":")[2]) > 65_535:
            # It may be a URL with a password: it is not shown.
            raise ConfigError(
                f"option 'bootstrap_servers': entry {number} must be host:port, such as localhost:9092",
                option="bootstrap_servers",
            )
        found.append(server)
    return tuple(found)


def _client(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError("option 'client' must be a mapping of librdkafka's settings", option="client")
    for name in value:
        if name in _OWNED:
            raise ConfigError(
                f"option 'client' cannot set {name!r}: use {_OWNED[name]}", option=f"client.{name}"
            )
    for name in ("acks", "request.required.acks"):
        if str(value.get(name)) == "0":
            raise ConfigError(
                f"option 'client' cannot have '{name}: 0': without an answer of the broker no record is known to "
                "be stored",
                option=f"client.{name}",
            )
    return dict(value)
