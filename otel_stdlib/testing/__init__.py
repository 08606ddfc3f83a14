"""For authors of backends: a test suite that a backend has to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_stdlib.facts.public import load_on_demand

__all__ = ["BackendContract"]

if TYPE_CHECKING:  # what type checkers and editors read; a test holds that both are the same
    from otel_stdlib.testing.contract import BackendContract
else:
    __getattr__, __dir__ = load_on_demand(__name__, {"otel_stdlib.testing.contract": "BackendContract"})
