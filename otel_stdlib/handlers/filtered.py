"""A handler's filters, prepared for its log calls."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from otel_stdlib.facts.filtering import Drop, Test, bind_filters, compile_filters, flush_filters
from otel_stdlib.facts.suppressed import rule_of
from otel_stdlib.pipeline.home import Home
from otel_stdlib.pipeline.pipeline import Pipeline

__all__ = ["Filtered"]


class Filtered(logging.Handler):
    """The part of a handler that knows its filters. What they drop is counted by its pipeline."""

    pipeline: Pipeline
    #: The filters that ``_tests`` was made of.
    _tested: Sequence[Any] | None = None
    _tests: tuple[tuple[Test, Drop], ...] = ()

    def _prepare_filters(self) -> None:
        filters = list(self.filters)
        bind_filters(filters, self, Home(self.pipeline, self.handle))
        counts = self.pipeline.suppressed
        self._tests = compile_filters(self, lambda each: counts.counter(rule_of(each)))
        self._tested = filters

    def forget_filters(self) -> None:
        """Prepare them anew with the next record."""
        self._tested = None

    def flush_filters(self) -> None:
        """Log what they have to report, and those of the handlers behind this one."""
        flush_filters([*self.filters, *self.pipeline.filters_behind()])
