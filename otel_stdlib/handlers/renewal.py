"""Options whose secrets are read again: after a password was rotated, delivery goes on without a reload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.renewal import has_renewable, renewed

__all__ = ["Renewable", "make_renewable", "with_new_secrets"]


class Renewable:
    """Options that may be made again from what they were given."""

    #: Makes them from the secrets of now. None: nothing in them can change.
    _again: Callable[[], Any] | None = None


OptionsT = TypeVar("OptionsT", bound=Renewable)


def make_renewable(
    options: OptionsT,
    make: Callable[[Mapping[str, Any]], OptionsT],
    given: Mapping[str, Any],
    *,
    always: bool = False,
) -> OptionsT:
    """Let ``options`` be made again by ``make`` from ``given``, where there is a secret with a source in it.

    ``always``: ``make`` reads something that may change as well, for example variables.
    """
    if always or has_renewable(given):
        object.__setattr__(options, "_again", lambda: make(renewed(given)))
    return options


def with_new_secrets(options: OptionsT, identity_of: Callable[[OptionsT], Identity]) -> OptionsT:
    """The options with the secrets of now; the same object where nothing has changed. Delivery threads only.

    Secrets that are not usable yet, as of a file in the middle of being written, and those that lead to
    another target are not taken: what waits is meant for this one.
    """
    if options._again is None:
        return options
    try:
        fresh: OptionsT = options._again()
    except ConfigError as error:
        say(f"secrets:{error}", f"a secret that was read again is of no use: {error}; the former one stays")
        return options
    identity = identity_of(options)
    if identity_of(fresh) != identity:
        say(
            f"secrets:{identity}",
            f"a secret that was read again leads to another target than {identity.kind} {identity.key}, for which "
            "records wait: load the configuration again to use it",
        )
        return options
    return options if fresh == options else fresh
