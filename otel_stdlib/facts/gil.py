"""Reporting what a Python without the GIL means for this package."""

from __future__ import annotations

import sys

from otel_stdlib.facts.diagnostics import say

__all__ = ["report_gil"]


def report_gil() -> None:
    """Report on stderr, once, that orjson does not fit a free-threaded Python. Call it when orjson is imported."""
    if "free-threading" not in sys.version:
        return
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        text = "orjson has no support for free-threaded Python, so this process runs with the GIL; records are safe"
    else:
        text = (
            "the GIL is off, and orjson publishes no wheels that are tested without it: "
            "set PYTHON_GIL=1 unless you trust the one that is installed"
        )
    say("gil", text, interval=86_400.0)
