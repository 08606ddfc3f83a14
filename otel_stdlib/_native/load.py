"""The compiled path of delivery: ``core`` is the extension module, None where pure Python runs.

Everything that it does is specified by Python code of the same name, which does the same bytes where the
extension was not built, is switched off (``OTEL_STDLIB_NO_NATIVE=1``), is of another version of this package,
or cannot run: without the GIL, and in a subinterpreter.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__all__ = ["core", "missing"]

#: What ``OTEL_STDLIB_ABI`` in ``native.h`` has to be.
_ABI = 6


def _load() -> tuple[Any, str]:
    """The module and an empty text, or None and why there is none."""
    if os.environ.get("OTEL_STDLIB_NO_NATIVE", "0") not in ("", "0"):
        return None, "switched off by OTEL_STDLIB_NO_NATIVE"
    if "free-threading" in sys.version:
        return None, "not for a free-threaded Python"
    try:
        found: Any = importlib.import_module("otel_stdlib._native._core")
    except Exception as error:
        # Built for another Python or machine, or not at all: a reason, never an error.
        missing = isinstance(error, ModuleNotFoundError)
        return None, "not built" if missing else f"{type(error).__name__}: {error}"[:200]
    if getattr(found, "ABI", None) != _ABI:
        return None, "built from another version of the source: install the package again"
    return found, ""


core, missing = _load()
