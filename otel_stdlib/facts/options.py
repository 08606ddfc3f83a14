"""Checks of options: one rule and one wording for all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import ParamSpec

from otel_stdlib.facts.errors import ConfigError

__all__ = [
    "check_choice",
    "check_flag",
    "check_names",
    "check_seconds",
    "check_whole",
    "nearest",
    "only_known",
]

P = ParamSpec("P")

#: The most that a number without a limit of its own may be: what a file's offset can hold.
_MANY = 1 << 62
#: The most seconds, some 30 years: what every system's waits take.
_LONG = 1e9


def nearest(name: object, known: Iterable[str], *, listed: bool = True) -> str:
    """``; did you mean 'x'? (known: x, y)``: the end of a message about a name that is not known.

    Without ``listed`` only the question, or nothing where no name is near.
    """
    names = sorted(known)
    near = get_close_matches(str(name), names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (known: {', '.join(names)})" if names and listed else hint


def check_names(given: Iterable[object], known: Iterable[str], message: str) -> None:
    """Refuse the first name in ``given`` that is not known.

    ``message`` is how the error begins; ``{}`` in it stands for the name.

    Raises:
        ConfigError: with the nearest known name, or all of them.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise ConfigError(message.format(repr(name)) + nearest(name, names), option=str(name))


def only_known(message: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate an ``__init__`` so that an unknown keyword is a ``ConfigError`` with the nearest known name.

    ``message`` is how the error begins; ``{}`` in it stands for the keyword.
    """

    def decorate(init: Callable[P, None]) -> Callable[P, None]:
        code = init.__code__
        known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

        @functools.wraps(init)
        def checked(*args: P.args, **kwargs: P.kwargs) -> None:
            check_names(kwargs, known, message)
            init(*args, **kwargs)

        return checked

    return decorate


def check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse anything but an integer from ``low`` to ``high``, or of ``low`` or more without ``high``.

    ``name`` may have the section that the option is in: ``spool.max_bytes``.

    Raises:
        ConfigError: it is another type or out of range.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= (high or _MANY):
        limits = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise _wrong(name, f"a whole number {limits}", value)


def check_seconds(name: str, value: object, low: float | None = None, high: float | None = None) -> float:
    """Return seconds as a float: above 0 without ``low``, else of ``low`` or more; up to ``high``.

    Raises:
        ConfigError: it is not a number, or is out of range.
    """
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    longest = _LONG if high is None else high
    if not (0 < number <= longest if low is None else low <= number <= longest):
        most = "" if high is None else f" and up to {high}"
        limits = f"above 0{most}" if low is None else f"of {low} or more{most}"
        raise _wrong(name, f"a number of seconds {limits}", value)
    return float(number)


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False.

    Raises:
        ConfigError: it is neither.
    """
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse anything but one of ``allowed``.

    Raises:
        ConfigError: with the nearest allowed value, where one is near.
    """
    if value not in allowed:
        raise _wrong(name, f"one of {', '.join(allowed)}", value, nearest(value, allowed, listed=False))


def _wrong(name: str, rule: str, value: object, hint: str = "") -> ConfigError:
    section, _, option = name.rpartition(".")
    where = f"option {option!r} of {section!r}" if section else f"option {option!r}"
    return ConfigError(f"{where} must be {rule}, not {value!r}{hint}", option=option)
