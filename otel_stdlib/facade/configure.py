"""``configure_logger``: one facade logger for the process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from otel_stdlib.config.dictconfig import forget_source
from otel_stdlib.facade.logger import OTelLogger
from otel_stdlib.facts.forks import ForkRegistry

__all__ = ["configure_logger", "facade_source", "generate_correlation_id"]

_logger = OTelLogger()
_loggers = ForkRegistry(OTelLogger.after_fork_in_child)


def configure_logger(
    config_file: str | os.PathLike[str] | None = None, *, strict: bool = False, **overrides: Any
) -> OTelLogger:
    """Start the pipeline behind the root logger, and return the one facade logger.

    Called again with nothing, or with the same, it returns the logger as it is; with something else it
    changes to that, and what was logged before is delivered all the same.

    Args:
        config_file: a YAML file with a ``logger:`` section: see ``docs/configuration.md``. Without
            one, records go to ``./logs/<service>.jsonl``.
        strict: anything wrong is an error. Otherwise what is wrong is said on stderr and in
            ``get_health_status()``, an option keeps its default, and the file stands in for a back end.
        **overrides: options of that section, in place of those in the file.

    Raises:
        ConfigFileError: ``strict``, and something is wrong; what ran before runs on.
    """
    _loggers.add(_logger)
    _logger.configure(config_file, overrides, strict=strict)
    forget_source()  # children get what was called last
    return _logger


def facade_source() -> tuple[str | None, Mapping[str, Any], bool] | None:
    """What ``configure_logger`` has configured this process with: path, overrides, ``strict``."""
    return _logger.source if _logger.is_running else None


def generate_correlation_id() -> str:
    """32 hex digits that no other call gives, in any process."""
    return os.urandom(16).hex()
