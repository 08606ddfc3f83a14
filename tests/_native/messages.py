"""Messages of Kafka of both flavours, for any lines."""

from __future__ import annotations

import random
import time

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.kafka import message
from otel_stdlib.handlers.kafka.naming import TopicPattern
from tests._native.lines import make_table, outcome_of

__all__ = ["Messages"]


class Messages:
    """Compares them, and counts."""

    def __init__(self) -> None:
        self._origin = Origin("0" * 26, b'{"service.name":"shop"}')
        self._naming = TopicPattern("logs")
        self._all = self._slow = 0

    def compare(self, chance: random.Random) -> None:
        """Both make the same messages, or raise the same error."""
        table, frames = make_table(chance)
        now = chance.choice((time.time_ns(), 1_000_000_000_000, 0))
        given = (self._origin, self._naming, now)
        pure = outcome_of(lambda: [*message._pure(frames, *given)])
        compiled = outcome_of(lambda: [*message._compiled(table, *given)])
        assert compiled == pure
        self._all += len(frames)
        self._slow += len(frames) - sum(_in_c(table[i : i + 1], self._origin) for i in range(len(frames)))

    def paths(self) -> tuple[int, int]:
        """How many messages took each path: in C, and by Python."""
        return self._all - self._slow, self._slow


def _in_c(one: object, origin: Origin) -> int:
    spool = b"%b-" % origin.spool_id.encode()
    made, _ = message.core.messages(one, 0, 1, "logs", spool, b"", "uid", message._SEVERITIES, ("a", b"b"), 0)
    return len(made)
