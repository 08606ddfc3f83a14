"""Back ends, good ones and ones with a fault each, for the tests of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from otel_stdlib import BatchBackendInterface, LogBackendInterface


class Memory(LogBackendInterface):
    """Keeps what it gets for the whole process, and can be away."""

    entries: ClassVar[list[dict[str, Any]]] = []
    is_away: ClassVar[bool] = False

    def initialize(self, config: Mapping[str, Any]) -> None:
        """Fail while it is away."""
        if Memory.is_away:
            raise ConnectionError("away")

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Keep one."""
        if Memory.is_away:
            raise ConnectionError("away")
        self.entries.append(log_entry)


class AsyncBatches(BatchBackendInterface):
    """The same for batches, with coroutines; a body that is no text is refused."""

    async def initialize(self, config: Mapping[str, Any]) -> None:
        """Connect."""
        await asyncio.sleep(0)

    async def write_batch(self, log_entries: Sequence[dict[str, Any]]) -> list[Any]:
        """Keep them."""
        await asyncio.sleep(0)
        answers = []
        for entry in log_entries:
            is_text = isinstance(entry["body"], str)
            if is_text:
                Memory.entries.append(entry)
            answers.append(True if is_text else ValueError("no text"))
        return answers


class Forgetful(Memory):
    """Says that it stored what it did not."""

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Forget every seventh."""
        if log_entry["attributes"].get("number", 1) % 7:
            super().write_log(log_entry)


class Reversing(BatchBackendInterface):
    """Stores in another order."""

    def initialize(self, config: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def write_batch(self, log_entries: Sequence[dict[str, Any]]) -> None:
        """The last one first."""
        Memory.entries.extend(reversed(log_entries))


class Stubborn(Memory):
    """Takes long text for a failure of its own, so that it comes again for ever."""

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Fail on long ones."""
        if len(str(log_entry["body"])) > 10_000:
            raise RuntimeError("too long")
        super().write_log(log_entry)


class Careless(Memory):
    """Hides its failures."""

    def initialize(self, config: Mapping[str, Any]) -> None:
        """Never fails."""

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Never fails either."""
        if not Memory.is_away:
            super().write_log(log_entry)


class Strict(Memory):
    """Refuses the whole batch for what it calls a bad name."""

    def write_log(self, log_entry: dict[str, Any]) -> None:
        """Refuse plain records too, once it has seen an odd one."""
        if "ключ" in log_entry["attributes"]:
            type(self).spoiled = True
        if self.spoiled:
            raise ValueError("bad name")
        super().write_log(log_entry)

    spoiled: ClassVar[bool] = False


@contextmanager
def away() -> Iterator[None]:
    """The memory cannot be reached."""
    Memory.is_away = True
    try:
        yield
    finally:
        Memory.is_away = False
