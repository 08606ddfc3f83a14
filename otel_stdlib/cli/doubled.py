"""Another handler that exports every record a second time: OpenTelemetry's own."""

from __future__ import annotations

import logging
import os
from importlib import import_module

__all__ = ["opentelemetry_doubles"]

#: Of opentelemetry-instrumentation-logging, on unless it is ``false``.
_INSTRUMENTATION = "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"
#: Of opentelemetry-sdk, the older one, off unless it is ``true``.
_SDK = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"


def opentelemetry_doubles() -> list[str]:
    """A line if OpenTelemetry puts a handler on the root logger here, or would under ``opentelemetry-instrument``."""
    variable, remedy = _INSTRUMENTATION, "set to false"
    if _setting(_SDK, "false") == "true":
        variable, remedy = _SDK, "unset"
    elif not _is_on_root() and (
        _setting(_INSTRUMENTATION, "true") != "true" or not _instrumentation_has_handler()
    ):
        return []
    return [
        "under opentelemetry-instrument OpenTelemetry's own handler on the root logger exports every record"
        + f" a second time, unless {variable} is {remedy}"
    ]


def _is_on_root() -> bool:
    return any(type(each).__module__.startswith("opentelemetry.") for each in logging.getLogger().handlers)


def _setting(name: str, default: str) -> str:
    return os.environ.get(name, default).strip().lower()


def _instrumentation_has_handler() -> bool:
    try:
        found = import_module("opentelemetry.instrumentation.logging.environment_variables")
    except Exception:  # not installed, or not with this SDK
        return False
    return hasattr(found, _INSTRUMENTATION)
