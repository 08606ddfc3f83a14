"""The options of a spool, checked where they are given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_names, check_seconds, check_whole

__all__ = ["DURABILITIES", "OVERFLOWS", "SpoolOptions"]

DURABILITIES = ("process", "os", "record", "memory")
OVERFLOWS = ("shed", "drop_oldest", "block")
_MIN_SEGMENT = 64 << 10
_MAX_SEGMENT = 1 << 30


@dataclass(frozen=True)
class SpoolOptions:
    """Where and how records are kept until they are delivered. Sizes in bytes, times in seconds.

    Raises:
        ConfigError: a value is out of range; the message quotes the option.
    """

    #: The folder that holds spools; None: ``OTEL_STDLIB_SPOOL_DIR``, else the user's state folder.
    directory: str | os.PathLike[str] | None = None
    #: The cap of one process's spool.
    max_bytes: int = 1 << 30
    #: The size of one segment file; the first two are smaller.
    segment_bytes: int = 8 << 20
    #: What a returned log call survives: ``process``, ``os``, ``record`` or ``memory``.
    durability: str = "process"
    #: Seconds between syncs with ``durability: os``.
    sync_interval: float = 0.5
    #: What gives way at the cap: ``shed``, ``drop_oldest`` or ``block``.
    overflow: str = "shed"
    #: Seconds that a log call waits at most with ``overflow: block``.
    block_timeout: float = 5.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("segment_bytes", _MIN_SEGMENT, _MAX_SEGMENT),
            ("max_bytes", 4 * _MIN_SEGMENT, 1 << 50),
        ):
            check_whole(f"spool.{name}", getattr(self, name), low, high)
        if self.segment_bytes * 4 > self.max_bytes:
            raise ConfigError(
                f"option 'max_bytes' of 'spool' ({self.max_bytes}) must be at least four times "
                f"'segment_bytes' ({self.segment_bytes})",
                option="max_bytes",
            )
        for name in ("sync_interval", "block_timeout"):
            check_seconds(f"spool.{name}", getattr(self, name), high=3_600)
        for name, allowed in (("durability", DURABILITIES), ("overflow", OVERFLOWS)):
            check_choice(f"spool.{name}", getattr(self, name), allowed)
        if self.directory is not None and not isinstance(self.directory, (str, os.PathLike)):
            raise ConfigError(
                f"option 'directory' of 'spool' must be a path, not {self.directory!r}", option="directory"
            )

    @classmethod
    def of(cls, value: SpoolOptions | Mapping[str, Any] | None) -> SpoolOptions:
        """Options from a mapping, as configuration files give them; None: the defaults."""
        if value is None:
            return cls()
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"option 'spool' must be a mapping of options, not {value!r}", option="spool")
        check_names(value, [field.name for field in fields(cls)], "unknown option {} of 'spool'")
        return cls(**{str(name): value[name] for name in value})
