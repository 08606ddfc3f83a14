"""A document as ``dictConfig`` sees it: ``cfg://`` and ``ext://`` resolved, other objects as they are."""

from __future__ import annotations

import logging.config
import re
from typing import Any, Final

from otel_stdlib.config.document import Document, is_plain_tuple
from otel_stdlib.config.errors import Path, Problem
from otel_stdlib.config.registry import import_path
from otel_stdlib.facts.errors import ConfigError

__all__ = ["LIVE", "Converted", "copy_containers", "is_reference", "plain_view"]

_REFERENCE = re.compile(r"(?:ext|cfg)://")


class _Live:
    """What the schema cannot judge."""

    def __repr__(self) -> str:
        return "an object"


#: Stands for a value in a view that only the one who takes it can check.
LIVE: Final = _Live()


def is_reference(value: object) -> bool:
    """Whether ``dictConfig`` puts something else in its place."""
    return isinstance(value, str) and _REFERENCE.match(value) is not None


def plain_view(value: Any) -> Any:
    """``value`` with lists for tuples, and ``LIVE`` for everything that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): plain_view(item) for key, item in value.items()}
    if isinstance(value, list) or is_plain_tuple(value):
        return [plain_view(item) for item in value]
    is_plain = value is None or (isinstance(value, (str, int, float)) and not is_reference(value))
    return value if is_plain else LIVE


def copy_containers(value: Any) -> Any:
    """New dictionaries, lists and tuples around the same objects: ``dictConfig`` takes keys out of its own."""
    if isinstance(value, dict):
        return {key: copy_containers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_containers(item) for item in value]
    return tuple(map(copy_containers, value)) if is_plain_tuple(value) else value


class Converted:
    """Looks into a copy of a document with the standard library's own configurator.

    ``problems`` gets what cannot be resolved, once each.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.configurator: Any = logging.config.dictConfigClass(copy_containers(document.value))
        self.problems: list[Problem] = []
        self._seen: set[Path] = set()

    @property
    def is_incremental(self) -> bool:
        """Whether only levels are set."""
        return bool(self.get((), self.configurator.config, "incremental"))

    def section(self, name: str) -> dict[Any, Any] | None:
        """A section of the document; None where there is none, or it is something else."""
        return self.entry((name,))

    def entry(self, path: Path) -> dict[Any, Any] | None:
        """The mapping at ``path``; None where there is something else."""
        value: Any = self.configurator.config
        for depth, key in enumerate(path):
            value = self.get(path[:depth], value, key) if isinstance(value, dict) else None
        return value if isinstance(value, dict) else None

    def get(self, path: Path, entry: dict[Any, Any], key: str | int) -> Any:
        """``entry[key]`` converted; None, and a problem, where that cannot be done."""
        here = (*path, str(key))
        try:
            return entry.get(key)
        except Exception as error:  # whatever an import raises
            if here not in self._seen:
                self._seen.add(here)
                raw = dict.get(entry, key)
                self.problems.append(
                    self._document.problem(here, f"cannot resolve {raw!r}: {_reason(error)}")
                )
            return None

    def resolve(self, target: str) -> Any:
        """What a dotted path leads to, as ``dictConfig`` finds it.

        Raises:
            ConfigError: it leads nowhere.
        """
        try:
            return self.configurator.resolve(target)
        except Exception as error:
            import_path(target)  # has the better message
            raise ConfigError(f"cannot import {target!r}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}" if error.args else "there is no such key"
    return str(error) or type(error).__name__
