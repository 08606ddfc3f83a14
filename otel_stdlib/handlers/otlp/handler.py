"""The handler that users name in their configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.network import NetworkHandler
from otel_stdlib.handlers.otlp.channel import require_grpc
from otel_stdlib.handlers.otlp.destination import OTLPDestination, identity_of
from otel_stdlib.handlers.otlp.options import GRPC, OTLPOptions
from otel_stdlib.handlers.otlp.wire import require_client

__all__ = ["OTLPHandler"]


class OTLPHandler(NetworkHandler[OTLPOptions]):
    """Sends records by OTLP, over HTTP or gRPC, each at least once, without ever holding up a log call.

    What is not given as an option is taken from ``OTEL_EXPORTER_OTLP_LOGS_*`` and
    ``OTEL_EXPORTER_OTLP_*``, when the handler is made.

    Args: those of ``NetworkHandler``; ``options`` are the fields of ``OTLPOptions``.

    Raises:
        ConfigError: an option or a variable is unknown or wrong; the message quotes it.
        MissingExtraError: the messages or the client are not installed.
    """

    kind: ClassVar[str] = "otlp"

    def read_options(self, options: Mapping[str, Any]) -> OTLPOptions:
        """Checked here, so that a wrong one is said where it stands."""
        found = OTLPOptions.of(options, os.environ)
        require_grpc() if found.protocol == GRPC else require_client()
        self._counts = Counters()
        return found

    @property
    def identity(self) -> Identity:
        """The endpoint."""
        return identity_of(self.options)

    def make_destination(self) -> OTLPDestination:
        """A destination that has not connected yet."""
        return OTLPDestination(self.options, self.outlet_name, counters=self._counts)
