"""Options that still hold ``${NAME}``: a configuration with variables that nobody put values into."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.secrets import Secret

__all__ = ["Expanded", "warn_unexpanded"]

_VARIABLE = re.compile(r"\$\{(?:file:[^{}]*|[A-Za-z_][A-Za-z0-9_]*)")


class Expanded(str):
    """Text that variables were put into already, so that a ``${`` in it is meant."""

    __slots__ = ()


def warn_unexpanded(owner: str, options: Mapping[str, object]) -> None:
    """Print one line for each option that holds a variable as it is written in a file.

    Args:
        owner: whose options they are, for the message.
        options: by name; nested mappings and lists are looked into.
    """
    for name, value in options.items():
        for text in _texts(value):
            found = _VARIABLE.search(text)
            if found is not None:
                variable = found[0] + "}"
                say(
                    f"unexpanded:{owner}:{name}:{variable}",
                    f"option {name!r} of {owner} is the literal text {variable}: logging.config.dictConfig does not "
                    "expand variables. Load the file with otel_stdlib.load_dict_config",
                    interval=float("inf"),
                )
                break


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if not isinstance(value, (Expanded, Secret)):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
