"""The ``fallback`` option of network handlers: a file where people can read what waits during an outage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_names, check_seconds

if TYPE_CHECKING:
    from otel_stdlib.handlers.jsonl.destination import JSONLDestination
    from otel_stdlib.handlers.jsonl.options import JSONLOptions

__all__ = ["FallbackOptions"]

#: Seconds of an outage before it is written, unless the option says otherwise.
_AFTER = 10.0
_FILE_OPTIONS = ("filename", "max_bytes", "backup_count")


@dataclass(frozen=True)
class FallbackOptions:
    """``{filename: …, after: seconds}``, and ``max_bytes`` and ``backup_count`` as of a JSONL file."""

    file: JSONLOptions
    #: Seconds for which the breaker must have been open.
    after: float

    @classmethod
    def of(cls, value: object) -> FallbackOptions | None:
        """Options from a configuration; None when there is no fallback.

        Raises:
            ConfigError: an option is unknown, missing or wrong; the message quotes it.
        """
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ConfigError(
                f"option 'fallback' must be a mapping with 'filename', not {value!r}", option="fallback"
            )
        check_names(value, ("after", *_FILE_OPTIONS), "unknown option {} of 'fallback'")
        # The JSONL handler is built on what imports this module.
        from otel_stdlib.handlers.jsonl.options import JSONLOptions

        given: Mapping[str, Any] = value
        after = check_seconds("fallback.after", given.get("after", _AFTER), 0)
        try:
            file = JSONLOptions.of({name: given[name] for name in _FILE_OPTIONS if name in given})
        except ConfigError as error:
            raise ConfigError(f"{error} (in 'fallback')", option=error.option) from None
        return cls(file, after)

    def make_destination(self, name: str) -> JSONLDestination:
        """The file as a destination; nothing is opened."""
        from otel_stdlib.handlers.jsonl.destination import JSONLDestination

        return JSONLDestination(self.file, name=f"{name}-fallback")
