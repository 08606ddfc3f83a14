"""Errors of a configuration, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otel_stdlib.facts.errors import ConfigError

__all__ = ["ConfigFileError", "Path", "Place", "Problem", "dotted"]

#: Keys and indices from the top of a document to a value.
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where a value stands. Lines and columns count from 1; 0 where there is no text."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    path: Path
    message: str

    @property
    def option(self) -> str | None:
        """The name of the option at fault."""
        return next((key for key in reversed(self.path) if isinstance(key, str)), None)

    def __str__(self) -> str:
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{self.place}: {where}{self.message}"


class ConfigFileError(ConfigError):
    """A configuration that cannot be used: one line for each thing that is wrong in it.

    ``problems`` has them in the order of the file; ``file``, ``line``, ``column``, ``path`` and
    ``option`` are those of the first one.
    """

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        found = (problems,) if isinstance(problems, Problem) else tuple(problems)
        first = found[0]
        super().__init__("\n".join(str(problem) for problem in found), option=first.option)
        self.problems = found
        self.file = first.place.file
        self.line = first.place.line
        self.column = first.place.column
        self.path = dotted(first.path)


def dotted(path: Iterable[str | int]) -> str:
    """``("logger", "backends", 0, "config")`` as ``logger.backends[0].config``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text
