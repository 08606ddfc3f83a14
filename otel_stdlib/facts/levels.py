"""Levels as people write them."""

from __future__ import annotations

import logging

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import nearest

__all__ = ["check_level", "level_number"]

_COMMON = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET")


def check_level(value: object) -> int | str:
    """``value`` as ``Logger.setLevel`` takes it: names in upper case, digits as a number.

    Raises:
        ConfigError: there is no such level; the message has the nearest name.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        if isinstance(logging.getLevelName(value), int):
            return value  # one of an application's own, which may have small letters
        name = value.strip().upper()
        if name.isdecimal():
            return int(name)
        if isinstance(logging.getLevelName(name), int):
            return name
    raise ConfigError(f"there is no level {value!r}{nearest(str(value).upper(), _COMMON)}", option="level")


def level_number(value: object) -> int:
    """The number of a level.

    Raises:
        ConfigError: there is no such level.
    """
    level = check_level(value)
    return level if isinstance(level, int) else int(logging.getLevelName(level))
