"""Filters for ``logging``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_stdlib.facts.public import load_on_demand

__all__ = ["DedupeFilter", "QuotaFilter", "RateLimitFilter", "SamplingFilter", "TraceContextFilter"]

if TYPE_CHECKING:  # what type checkers and editors read; a test holds that both are the same
    from otel_stdlib.filters.dedupe import DedupeFilter
    from otel_stdlib.filters.quota import QuotaFilter
    from otel_stdlib.filters.rate_limit import RateLimitFilter
    from otel_stdlib.filters.sampling import SamplingFilter
    from otel_stdlib.filters.trace_context import TraceContextFilter
else:
    __getattr__, __dir__ = load_on_demand(
        __name__,
        {
            "otel_stdlib.filters.dedupe": "DedupeFilter",
            "otel_stdlib.filters.quota": "QuotaFilter",
            "otel_stdlib.filters.rate_limit": "RateLimitFilter",
            "otel_stdlib.filters.sampling": "SamplingFilter",
            "otel_stdlib.filters.trace_context": "TraceContextFilter",
        },
    )
