"""What every back end's options check the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from otel_stdlib.facts.errors import ConfigError

__all__ = ["check_choice", "check_flag", "check_names", "check_seconds", "check_whole", "nearest"]


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


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number from ``low`` to ``high``.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(
            f"option {name!r} must be a whole number from {low} to {high}, not {value!r}", option=name
        )


def check_seconds(name: str, value: object, high: int) -> None:
    """Refuse what is no number above 0 and up to ``high``.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= high:
        raise ConfigError(
            f"option {name!r} must be seconds above 0 and up to {high}, not {value!r}", option=name
        )


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False.

    Raises:
        ConfigError: it is neither.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"option {name!r} must be true or false, not {value!r}", option=name)


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    """Refuse what is none of ``allowed``.

    Raises:
        ConfigError: it is none, with the nearest one where there is one.
    """
    if value not in allowed:
        hint = nearest(value, allowed, listed=False)
        raise ConfigError(
            f"option {name!r} must be one of {', '.join(allowed)}, not {value!r}{hint}", option=name
        )
