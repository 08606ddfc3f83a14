"""Secrets that know where they came from: a rotated one is read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.secrets import Secret

__all__ = ["RenewableSecret", "has_renewable", "renewed"]


class RenewableSecret(Secret):
    """A secret that files or variables were put into: see ``of``."""

    __slots__ = ("_read",)

    _read: Callable[[], str]

    @classmethod
    def of(cls, text: str, read: Callable[[], str]) -> RenewableSecret:
        """The text that they gave; ``read`` gives the one of now, or raises ``ValueError``."""
        made = cls(text)
        made._read = read
        return made

    def renewed(self) -> RenewableSecret:
        """The secret of now; this one where it is the same, or where it cannot be read. It reads files."""
        try:
            text = self._read()
        except ValueError as error:
            say(f"secret:{error}", f"{error}; the former secret stays in use")
            return self
        return self if text == self else RenewableSecret.of(text, self._read)

    # A copy elsewhere, or in another process, is the text alone.
    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (str(self),)

    def __copy__(self) -> RenewableSecret:
        return self

    def __deepcopy__(self, memo: object) -> RenewableSecret:
        return self


def has_renewable(value: Any) -> bool:
    """Whether there is a secret with a source in a mapping, list or tuple."""
    if isinstance(value, Mapping):
        return any(map(has_renewable, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_renewable, value))
    return isinstance(value, RenewableSecret)


def renewed(value: Any) -> Any:
    """``value`` with every secret in it as it is now. What has no such secret is returned as it is."""
    if isinstance(value, RenewableSecret):
        return value.renewed()
    if not has_renewable(value):
        return value
    if isinstance(value, Mapping):
        return {key: renewed(item) for key, item in value.items()}
    return type(value)(map(renewed, value)) if type(value) in (list, tuple) else [*map(renewed, value)]
