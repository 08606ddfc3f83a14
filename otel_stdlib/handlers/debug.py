"""The package's own diagnostics, for those who look for them where they used to be."""

from otel_stdlib.facts.diagnostics import debug_logger

__all__ = ["debug_logger"]
