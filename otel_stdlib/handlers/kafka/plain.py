"""Sending without transactions: idempotent for as long as the producer lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.kafka.client import Handle
from otel_stdlib.handlers.kafka.message import messages
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.kafka.sender import (
    STORED,
    WAITING,
    Report,
    note_in,
    produce_all,
    sort_reports,
    wait_for_reports,
)

__all__ = ["PlainSender"]

_NOT_YET = Outcome(Verdict.RETRY, "no delivery report yet; the client goes on trying")
_NOT_SENT = Outcome(Verdict.RETRY, "not sent: the client's queue was full")


class PlainSender:
    """One producer for everything. Used by one thread.

    A message that has no report in time stays with librdkafka, which goes on trying under the
    same sequence number; the batch comes back for its report and is not produced twice. So a
    record is doubled only where a producer ends: with its process, or by a fatal error.

    Args:
        meanwhile: called when the brokers have a batch and there is nothing to do but wait.
    """

    def __init__(self, options: KafkaOptions, counters: Counters, meanwhile: Callable[[], None]) -> None:
        self._options = options
        self._counters = counters
        self._meanwhile = meanwhile
        # Without an end: a message that librdkafka gave up may be stored all the same.
        self._own: dict[str, Any] = {"message.timeout.ms": 0}
        self._handle: Handle | None = None
        #: By spool: reports that came, or are to come, for records that are not settled.
        self._reports: dict[str, dict[int, Report]] = {}

    def use(self, options: KafkaOptions) -> None:
        """Take options with other secrets: with a new producer only where the present one cannot, and fails."""
        self._options = options
        if self._handle is not None:
            self._handle.use(self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return {**self._options.settings, **self._own}

    def open(self) -> None:
        """Make the producer and see that brokers answer.

        Raises:
            RetryableError: they do not, or the topic is not there.
        """
        handle = self._ready()
        try:
            handle.look(self._options.naming.fixed, self._options.timeout)
        except RetryableError:
            # Only now: a producer that works may have reports to come, and another one would send again.
            if handle.is_outdated:
                self._discard()
            raise

    def position(self, origin: Origin) -> int | None:
        """None: the brokers keep no cursor."""
        return None

    def lost_from(self, origin: Origin) -> int | None:
        """None: the brokers keep no cursor."""
        return None

    def deliver(self, batch: Batch) -> list[Outcome] | None:
        """Send a batch and wait for its reports.

        Raises:
            PermanentError: a record has no readable topic.
            RetryableError: nothing of it is known to be stored.
        """
        handle = self._ready()
        deadline = monotonic() + self._options.timeout
        reports = self._reports.setdefault(batch.origin.spool_id, {})
        fresh = [frame for frame in batch.frames if frame.lsn not in reports] if reports else batch.frames
        try:
            found = messages(fresh, batch.origin, self._options.naming)
            produce_all(handle, found, reports, note_in(reports, batch.origin), deadline)
            self._meanwhile()
            waiting = wait_for_reports(handle, reports, deadline)
        except RetryableError:
            self._discard()
            raise
        if fresh is not batch.frames:
            _drop_evicted(reports, batch.start)
        elif not waiting and len(reports) == len(batch.frames) and not any(reports.values()):
            reports.clear()  # only this batch's, and every one says that it is stored
            return None
        mine = {frame.lsn: reports[frame.lsn] for frame in batch.frames if frame.lsn in reports}
        for lsn, report in mine.items():
            if report is not WAITING:
                del reports[lsn]
        if not waiting and len(mine) == len(batch.frames) and not any(mine.values()):
            return None
        return self._answer(handle, batch, mine)

    def _answer(self, handle: Handle, batch: Batch, mine: dict[int, Report]) -> list[Outcome]:
        outcomes, alone = sort_reports(mine, final=False)
        if alone:
            outcomes.update(self._send_alone(batch, set(alone)))
        if not outcomes:
            what = (
                "no broker answers"
                if handle.is_down
                else f"no delivery report within {self._options.timeout:g} s"
            )
            raise handle.failure(what)
        found = [
            outcomes.get(frame.lsn, _NOT_YET if frame.lsn in mine else _NOT_SENT) for frame in batch.frames
        ]
        if all(outcome.verdict is Verdict.RETRY for outcome in found):
            raise RetryableError(f"{handle.where} took no record: {found[0].reason}")
        return found

    def _send_alone(self, batch: Batch, lsns: set[int]) -> dict[int, Outcome]:
        """Once more, each record in a message set of its own: what is refused now is at fault itself."""
        self._counters.add("sent_alone", len(lsns))
        deadline = monotonic() + self._options.timeout
        frames = [frame for frame in batch.frames if frame.lsn in lsns]
        handle = Handle({**self._settings, "batch.size": 1}, self._options.servers)
        reports: dict[int, Report] = {}
        try:
            found = messages(frames, batch.origin, self._options.naming)
            produce_all(handle, found, reports, note_in(reports, batch.origin), deadline, stamp=False)
            wait_for_reports(handle, reports, deadline)
        finally:
            handle.discard()
        outcomes, _ = sort_reports(reports, final=True)
        stored = sum(outcome is STORED for outcome in outcomes.values())
        if stored > 1:
            self._shrink()
        return outcomes

    def _shrink(self) -> None:
        """Records that pass alone and not together: the topic takes smaller message sets than we make."""
        if any(report is WAITING for reports in self._reports.values() for report in reports.values()):
            return  # these would be sent twice
        size = int(self._settings.get("batch.size", 1_000_000))
        self._own["batch.size"] = max(1, size // 4)
        self._counters.add("batches_made_smaller")
        self._discard()

    def probe(self) -> None:
        """Ask the brokers.

        Raises:
            RetryableError: they do not answer.
        """
        self.open()

    def forget(self, origin: Origin) -> None:
        """Drop the reports of a spool that is gone."""
        self._reports.pop(origin.spool_id, None)

    def close(self) -> None:
        """End the producer; what has no report is in the spool."""
        self._discard()

    def _ready(self) -> Handle:
        if self._handle is not None and (
            self._handle.fatal or (self._handle.is_old and not any(self._reports.values()))
        ):
            self._discard()
        if self._handle is None:
            self._counters.add("producers")
            self._handle = Handle(self._settings, self._options.servers, self._options.connection_max_age)
        return self._handle

    def _discard(self) -> None:
        handle, self._handle = self._handle, None
        self._reports.clear()
        if handle is not None:
            handle.discard()


def _drop_evicted(reports: dict[int, Report], start: int) -> None:
    """Drop late reports of records that nobody will ask for: the spool's cap took them away."""
    for lsn in [lsn for lsn, report in reports.items() if lsn < start and report is not WAITING]:
        del reports[lsn]
