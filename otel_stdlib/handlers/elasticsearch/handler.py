"""The handler that users name in their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.elasticsearch.destination import ElasticsearchDestination, identity_of
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.wire import require_client
from otel_stdlib.handlers.network import NetworkHandler

__all__ = ["ElasticsearchHandler"]


class ElasticsearchHandler(NetworkHandler[ElasticsearchOptions]):
    """Stores records in Elasticsearch, each once, without ever holding up a log call.

    Args: those of ``NetworkHandler``; ``options`` are the fields of ``ElasticsearchOptions``.

    Raises:
        ConfigError: an option is unknown or wrong; the message quotes it.
        MissingExtraError: the client is not installed.
    """

    kind: ClassVar[str] = "elasticsearch"

    def read_options(self, options: Mapping[str, Any]) -> ElasticsearchOptions:
        """Checked here, so that a wrong one is said where it stands."""
        found = ElasticsearchOptions.of(options)
        require_client()
        self._counts = Counters()
        return found

    @property
    def identity(self) -> Identity:
        """The cluster and where in it records go."""
        return identity_of(self.options)

    def make_destination(self) -> ElasticsearchDestination:
        """A destination that has not connected yet."""
        return ElasticsearchDestination(self.options, self.outlet_name, counters=self._counts)
