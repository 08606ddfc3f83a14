"""A handler's filters, prepared for its log calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.facts.filtering import Drop, Test, bind_filters, compile_filters, flush_filters
from otel_stdlib.facts.suppressed import rule_of
from otel_stdlib.handlers.describing import DescribingHandler
from otel_stdlib.pipeline.home import Home
from otel_stdlib.pipeline.pipeline import Pipeline
from otel_stdlib.spool.place import choose_root

__all__ = ["Filtered"]


class Filtered(DescribingHandler):
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

    def addFilter(self, filter: Any) -> None:  # noqa: A002
        """Add one.

        Raises:
            ConfigError: it keeps something in the spool's folder that it cannot read.
        """
        check = getattr(filter, "check_folder", None) if getattr(filter, "decides", False) is True else None
        if check is not None:
            try:
                check(choose_root(self.pipeline.options.directory, self.service_name()))
            except SpoolUnavailable:  # in memory, then
                pass
        super().addFilter(filter)

    def forget_filters(self) -> None:
        """Prepare them anew with the next record."""
        self._tested = None

    def flush_filters(self) -> None:
        """Log what they have to report, and those of the handlers behind this one."""
        flush_filters([*self.filters, *self.pipeline.filters_behind()])
