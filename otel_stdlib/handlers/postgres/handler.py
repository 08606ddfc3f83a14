"""The handler that users name in their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.network import NetworkHandler
from otel_stdlib.handlers.postgres.connect import identity_of, load_driver
from otel_stdlib.handlers.postgres.destination import PostgresDestination
from otel_stdlib.handlers.postgres.options import PostgresOptions

__all__ = ["PostgresHandler"]


class PostgresHandler(NetworkHandler[PostgresOptions]):
    """Stores records in a PostgreSQL table by COPY, each exactly once, without ever holding up a log call.

    Args: those of ``NetworkHandler``; ``options`` are the fields of ``PostgresOptions``.

    Raises:
        ConfigError: an option is unknown or wrong; the message quotes it.
        MissingExtraError: the driver is not installed.
    """

    kind: ClassVar[str] = "postgres"

    def read_options(self, options: Mapping[str, Any]) -> PostgresOptions:
        """Checked here, so that a wrong one is said where it stands."""
        found = PostgresOptions.of(options)
        load_driver()
        self._identity = identity_of(found)
        return found

    @property
    def identity(self) -> Identity:
        """The server, the database and the table."""
        return self._identity

    def make_destination(self) -> PostgresDestination:
        """A destination that has not connected yet."""
        return PostgresDestination(self.options, name=self.outlet_name)
