"""PostgreSQL: see ``docs/postgres.md``."""

from otel_stdlib.handlers.postgres.destination import PostgresDestination
from otel_stdlib.handlers.postgres.handler import PostgresHandler
from otel_stdlib.handlers.postgres.options import PostgresOptions

__all__ = ["PostgresDestination", "PostgresHandler", "PostgresOptions"]
