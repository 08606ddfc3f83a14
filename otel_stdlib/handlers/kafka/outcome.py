"""What librdkafka's delivery reports mean for a record. Pure; errors by their names.

no error                      stored
too large, invalid            tried once more, alone: a broker refuses whole message sets for one
record or for their common size; refused again, it is rejected
invalid timestamp             tried once more with the present time
everything else               try again: unknown topic, no permission, time over, queue full
"""

from __future__ import annotations

from otel_stdlib.delivery.contract import Outcome, Verdict

__all__ = ["ALONE", "FATAL", "TOO_LARGE_HERE", "final_outcome"]

#: The client itself refused it: no broker has to be asked again.
TOO_LARGE_HERE = "MSG_SIZE_TOO_LARGE (message.max.bytes)"
_AT_FAULT = frozenset({TOO_LARGE_HERE, "MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD"})
#: Errors that say nothing yet about a record that was not alone in its message set.
ALONE = _AT_FAULT - {TOO_LARGE_HERE} | {"INVALID_TIMESTAMP", "_INVALID_DIFFERENT_RECORD"}
#: The producer is of no use any more.
FATAL = frozenset(
    {"_FATAL", "_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "_PURGE_QUEUE", "_PURGE_INFLIGHT"}
)


def final_outcome(name: str, text: str) -> Outcome:
    """The verdict on a record that was alone, or never left the client."""
    return Outcome(Verdict.REJECTED if name in _AT_FAULT else Verdict.RETRY, f"{name} {text}".strip())
