"""The handler that users name in their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.kafka.client import check_settings, require_client
from otel_stdlib.handlers.kafka.destination import KafkaDestination, identity_of
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.network import NetworkHandler

__all__ = ["KafkaHandler"]


class KafkaHandler(NetworkHandler[KafkaOptions]):
    """Sends records to Kafka from the spool, without ever holding up a log call.

    Args: those of ``NetworkHandler``; ``options`` are the fields of ``KafkaOptions``.

    Raises:
        ConfigError: an option is unknown or wrong, librdkafka's own among them; the message quotes it.
        MissingExtraError: the client is not installed.
    """

    kind: ClassVar[str] = "kafka"

    def read_options(self, options: Mapping[str, Any]) -> KafkaOptions:
        """Checked here, so that a wrong one is said where it stands."""
        found = KafkaOptions.of(options)
        require_client()
        check_settings(found.client)
        self._counts = Counters()
        return found

    @property
    def identity(self) -> Identity:
        """The cluster and the topic."""
        return identity_of(self.options)

    def make_destination(self) -> KafkaDestination:
        """A destination that has no producer yet."""
        return KafkaDestination(self.options, self.outlet_name, counters=self._counts)
