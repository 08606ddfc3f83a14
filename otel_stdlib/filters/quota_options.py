"""Checks of a quota's options."""

from __future__ import annotations

from collections.abc import Mapping

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_names, check_whole, nearest

__all__ = ["check_limits", "check_period", "check_warn_at"]

_PERIODS = {"minute": 60, "hour": 3_600, "day": 86_400}


def check_period(value: object) -> int:
    """Return the seconds of a period.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, str) and value in _PERIODS:
        return _PERIODS[value]
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 366 * 86_400:
        return value
    raise ConfigError(
        f"option 'period' must be one of {', '.join(_PERIODS)} or whole seconds, not {value!r}"
        f"{nearest(value, _PERIODS, listed=False)}",
        option="period",
    )


def check_warn_at(value: object) -> float:
    """Return a share above 0, up to 1.

    Raises:
        ConfigError: it is something else.
    """
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if not 0 < number <= 1:
        raise ConfigError(
            f"option 'warn_at' must be a number above 0 and up to 1, not {value!r}", option="warn_at"
        )
    return float(number)


def check_limits(given: object) -> dict[str, int]:
    """Return limits by name.

    Raises:
        ConfigError: one of them is none; the message has its name.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(limits, Mapping) for limits in given.values()):
        raise ConfigError(
            f"option 'overrides' must be a mapping of mappings, such as {{acme: {{limit: 1000}}}}, not {given!r}",
            option="overrides",
        )
    for name, limits in given.items():
        check_names(limits, ("limit",), f"unknown option {{}} of 'overrides.{name}'")
        check_whole(f"overrides.{name}.limit", limits.get("limit"), 1)
    return {str(name): limits["limit"] for name, limits in given.items()}
