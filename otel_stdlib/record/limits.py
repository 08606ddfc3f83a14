"""How much of a record is kept: the bounds that hold whatever a caller logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_names

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one record. Lengths are in characters, ``total_bytes`` in bytes of the line.

    What is cut ends with "…" and is counted in the attribute ``otel_stdlib.truncated_values``;
    attributes past ``attribute_count`` are counted in ``otel.dropped_attributes_count``.
    """

    #: Attributes given by the caller; derived ones (``code.*`` …) do not count.
    attribute_count: int = 128
    #: One text anywhere in the attributes.
    value_length: int = 65_536
    #: The body, and one text inside a structured body.
    body_length: int = 262_144
    #: Levels of maps and lists in one value.
    depth: int = 10
    #: Members of one map or list.
    items: int = 1_000
    #: ``exception.stacktrace`` and ``code.stacktrace``.
    stacktrace_length: int = 65_536
    #: Frames of one exception, the innermost ones.
    stacktrace_frames: int = 128
    #: Exceptions of one chain or group in ``exception.stacktrace``.
    exceptions: int = 32
    #: The whole open line.
    total_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            least = 4_096 if item.name == "total_bytes" else 1
            if type(value) is not int or value < least:
                raise ConfigError(
                    f"limits: {item.name!r} must be an integer of at least {least}, not {value!r}",
                    option=item.name,
                )

    @classmethod
    def of(cls, value: Limits | Mapping[str, int] | None) -> Limits:
        """Limits from an option: an instance, a mapping of some of them, or None for the defaults.

        Raises:
            ConfigError: an unknown name or a wrong number; ``option`` is its name.
        """
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"'limits' must be a mapping, not {type(value).__name__}", option="limits")
        check_names(value, [item.name for item in fields(cls)], "limits: unknown option {}")
        return cls(**{name: value[name] for name in value})
