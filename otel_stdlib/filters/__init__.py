"""Filters for ``logging``."""

from otel_stdlib.facts.public import show_as_public
from otel_stdlib.filters.trace_context import TraceContextFilter

__all__ = ["TraceContextFilter"]

_shown = show_as_public(__name__, __all__, globals())
