"""Records and batches as a delivery thread would hand them over."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from otel_stdlib.delivery.contract import Batch, Destination, Origin, Outcome, Verdict
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.ids import new_spool_id

__all__ = ["Stretch", "hostile", "settle"]

_FIRST = (1 << 32) + 64
_STEP = 512
#: How often a record may be answered with "again" while nothing is wrong with the back end.
_TRIES = 5


class Stretch:
    """Records of one imagined process, in batches that follow one another."""

    def __init__(self) -> None:
        formatter = OTelFormatter(service_name="contract")
        self._encode = formatter.encoder.encode
        self.origin = Origin(new_spool_id(), formatter.resource().json)
        self._next = _FIRST

    def batch(self, records: Sequence[tuple[Any, dict[str, Any]]]) -> Batch:
        """The next records: bodies and attributes."""
        start, frames = self._next, []
        for body, attributes in records:
            record = logging.LogRecord("contract.orders", logging.INFO, __file__, 1, body, (), None)
            record.__dict__.update(attributes)
            encoded = self._encode(record)
            if encoded is None:
                raise AssertionError(f"the record cannot be encoded: {record!r}")
            payload, severity, time_ns = encoded
            frames.append(Frame(self._next, time_ns, record.levelno, severity, payload))
            self._next += _STEP
        return Batch(self.origin, frames, start, self._next)

    def numbered(self, first: int, count: int) -> Batch:
        """Plain records with a number each."""
        return self.batch([(f"order {n} placed", {"number": n}) for n in range(first, first + count)])


def hostile() -> list[tuple[Any, dict[str, Any]]]:
    """Bodies and attributes that stores stumble over."""
    deep: dict[str, Any] = {"end": True}
    for _ in range(30):
        deep = {"in": deep}
    texts = [
        "",
        "a\0b",
        "lone \ud800 half",
        "😀 ẞ \u202e",
        'quote " back \\ tab \t line \r\n',
        "%s {} $1",
        "x" * 200_000,
    ]
    return [
        *((text, {"text": text}) for text in texts),
        ({"a": [1, {"b": None}]}, {"deep": deep}),
        ("numbers", {"big": 2**80, "small": -(2**63), "nan": float("nan"), "inf": float("inf"), "half": 0.5}),
        ("kinds", {"bytes": b"\xff\0", "nothing": None, "yes": True, "many": list(range(500)), "none": []}),
        ("one kind", {"changing": 1}),
        ("another kind", {"changing": {"now": "a mapping"}}),
        ("names", {"a": 1, "a.b": 2, "": 3, "'; DROP TABLE x; --": 4, "ключ": 5, "_id": 6, "n" * 300: 7}),
    ]


def settle(destination: Destination, batch: Batch) -> list[Outcome]:
    """Deliver as a delivery thread does: halve what is refused, send again what is to come again.

    Raises:
        RetryableError: the back end says that it does not work.
        AssertionError: its answers do not fit the records.
    """
    known = destination.position(batch.origin)
    verdicts = {
        f.lsn: Outcome(Verdict.DUPLICATE) for f in batch.frames if known is not None and f.lsn < known
    }
    for _ in range(_TRIES):
        left = [f for f in batch.frames if f.lsn not in verdicts]
        for frame, outcome in _deliver(destination, batch, left):
            if outcome.verdict is not Verdict.RETRY:
                verdicts[frame.lsn] = outcome
        if len(verdicts) == len(batch.frames):
            break
        destination.open()
    again = Outcome(Verdict.RETRY, f"not settled in {_TRIES} tries")
    return [verdicts.get(frame.lsn, again) for frame in batch.frames]


def _deliver(
    destination: Destination, whole: Batch, frames: Sequence[Frame]
) -> Iterator[tuple[Frame, Outcome]]:
    if not frames:
        return
    part = whole if len(frames) == len(whole.frames) else _part(whole, frames)
    try:
        answer = destination.deliver(part)
    except PermanentError as error:
        if len(frames) == 1:
            yield frames[0], Outcome(Verdict.REJECTED, str(error))
            return
        half = len(frames) // 2
        yield from _deliver(destination, whole, frames[:half])
        yield from _deliver(destination, whole, frames[half:])
        return
    outcomes = [Outcome(Verdict.STORED)] * len(frames) if answer is None else list(answer)
    if len(outcomes) != len(frames):
        raise AssertionError(f"it answered for {len(outcomes)} of {len(frames)} records")
    yield from zip(frames, outcomes, strict=True)


def _part(whole: Batch, frames: Sequence[Frame]) -> Batch:
    end = next((f.lsn for f in whole.frames if f.lsn > frames[-1].lsn), whole.end)
    return Batch(whole.origin, frames, frames[0].lsn, end, whole.memo)
