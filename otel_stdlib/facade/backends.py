"""What a back end of somebody else is: the seed's interface, and one that takes whole batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

__all__ = ["BatchBackendInterface", "LogBackendInterface"]


class LogBackendInterface(ABC):
    """A back end that stores one record at a time. Each method may be ``async`` or not.

    All calls of one process come from one delivery thread, never from the application's threads or
    loops; ``async`` methods run on a loop of that thread's own, always the same one. Delivery is at least once: after
    a crash the last records come again with the same ``log.record.uid`` among their attributes.

    Errors tell what becomes of a record: ``PermanentError``, ``ValueError`` and ``TypeError`` send it
    to the dead letters; anything else means that it is tried again, for as long as it takes.
    """

    @abstractmethod
    def initialize(self, config: Mapping[str, Any]) -> Awaitable[None] | None:
        """Connect. Called before the first record, and again after an error that is tried again."""

    @abstractmethod
    def write_log(self, log_entry: dict[str, Any]) -> Awaitable[None] | None:
        """Store one record, a dictionary of JSON's types. To return is to have stored it."""

    def close(self) -> Awaitable[None] | None:
        """Let go of what was connected. Must not wait for more than a second."""
        return None


class BatchBackendInterface(ABC):
    """A back end that stores many records at once. As ``LogBackendInterface`` in everything else."""

    @abstractmethod
    def initialize(self, config: Mapping[str, Any]) -> Awaitable[None] | None:
        """Connect. Called before the first batch, and again after an error that is tried again."""

    @abstractmethod
    def write_batch(self, log_entries: Sequence[dict[str, Any]]) -> Any:
        """Store records in their order.

        Returns:
            None when every one is stored; else one item for each record: None or True for one
            that is stored, an exception (by its kind, as above) or False (again) for one that is not.
        """

    def close(self) -> Awaitable[None] | None:
        """Let go of what was connected. Must not wait for more than a second."""
        return None
