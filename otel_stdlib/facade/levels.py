"""The levels of loggers that the facade changes, and how they were before."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from otel_stdlib.facts.levels import level_number

__all__ = ["Levels"]

#: asyncio notes every new loop at DEBUG: nobody who asks for DEBUG asks for that.
_DEFAULTS: Mapping[str, int | str] = {"asyncio": "INFO"}


class Levels:
    """Sets levels and puts them back. Not for several threads at once."""

    def __init__(self) -> None:
        #: What a logger had, and what it was set to here.
        self._changed: dict[str, tuple[int, int]] = {}

    def apply(self, root: int | str, levels: Mapping[str, int | str]) -> None:
        """Set the root's level and those of single loggers; those of a former call go back first."""
        wanted = {"": level_number(root), **{name: level_number(level) for name, level in levels.items()}}
        for name, level in _DEFAULTS.items():
            if name not in levels and _logger(name).level == logging.NOTSET:
                wanted[name] = level_number(level)
        for name in [name for name in self._changed if name not in wanted]:
            self._put_back(name)
        for name, level in wanted.items():
            logger = _logger(name)
            before = self._changed.get(name, (logger.level, level))[0]
            self._changed[name] = (before, level)
            if logger.level != level:
                logger.setLevel(level)

    def restore(self) -> None:
        """Put back every level that nobody else has changed since."""
        for name in list(self._changed):
            self._put_back(name)

    def _put_back(self, name: str) -> None:
        before, ours = self._changed.pop(name)
        logger = _logger(name)
        if logger.level == ours:
            logger.setLevel(before)


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(name or None)
