"""For authors of back ends: a test suite that a back end has to pass."""

from otel_stdlib.facts.public import show_as_public
from otel_stdlib.testing.contract import BackendContract

__all__ = ["BackendContract"]

_shown = show_as_public(__name__, __all__, globals())
