"""OTLP: see ``docs/otlp.md``."""

from otel_stdlib.handlers.otlp.destination import OTLPDestination
from otel_stdlib.handlers.otlp.handler import OTLPHandler
from otel_stdlib.handlers.otlp.options import OTLPOptions

__all__ = ["OTLPDestination", "OTLPHandler", "OTLPOptions"]
