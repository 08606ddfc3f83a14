"""What the contract asks of answers and of what is stored, with errors that say what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_stdlib.delivery.contract import Batch, Destination, Outcome, Verdict
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.threads import sleep
from otel_stdlib.testing.samples import settle

__all__ = [
    "EACH",
    "PATIENCE",
    "all_done",
    "equal",
    "expect_failure",
    "log_numbered",
    "once",
    "settle_when_back",
    "uid_of",
    "uids_of",
]

#: Seconds for what takes as long as a server takes.
PATIENCE = 30.0
#: Records that each thread of the pipeline's test logs.
EACH = 50
_DONE = (Verdict.STORED, Verdict.DUPLICATE)


def equal(wanted: object, found: object, what: str) -> None:
    """Raise an ``AssertionError`` that says ``what`` when the two differ."""
    if wanted != found:
        raise AssertionError(f"{what}: expected {wanted!r}, found {found!r}")


def uid_of(entry: Mapping[str, Any]) -> str:
    """The uid of a stored record; empty when it has none."""
    return str(entry.get("attributes", {}).get("log.record.uid", ""))


def once(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records, copies left out."""
    return list({uid_of(entry): entry for entry in entries}.values())


def uids_of(batch: Batch, outcomes: Sequence[Outcome]) -> set[str]:
    """The uids of what was answered as stored."""
    pairs = zip(batch.frames, outcomes, strict=True)
    return {batch.uid(frame) for frame, outcome in pairs if outcome.verdict in _DONE}


def all_done(outcomes: Sequence[Outcome]) -> None:
    """Raise an ``AssertionError`` unless every answer is that it is stored."""
    equal(
        [], [outcome for outcome in outcomes if outcome.verdict not in _DONE], "answers that are not 'stored'"
    )


def log_numbered(logger: logging.Logger, run: str, number: int) -> None:
    """Log as one thread of the pipeline's test."""
    for i in range(EACH):
        logger.info("%s thread %d record %d", run, number, i, extra={"thread_number": number})


def expect_failure(target: Destination, batch: Batch) -> None:
    """Raise an ``AssertionError`` unless the back end says that its store is away."""
    try:
        target.open()
        outcomes = settle(target, batch)
    except RetryableError:
        return
    kinds = {outcome.verdict for outcome in outcomes}
    if kinds != {Verdict.RETRY}:
        raise AssertionError(f"without its store it answered {sorted(kind.value for kind in kinds)}")


def settle_when_back(target: Destination, batch: Batch) -> list[Outcome]:
    """Deliver until no record is to come again; the answers."""
    deadline = monotonic() + PATIENCE
    while True:
        try:
            target.open()
            outcomes = settle(target, batch)
        except RetryableError:
            outcomes = [Outcome(Verdict.RETRY)]
        if all(outcome.verdict is not Verdict.RETRY for outcome in outcomes) or monotonic() > deadline:
            return outcomes
        sleep(0.05)
