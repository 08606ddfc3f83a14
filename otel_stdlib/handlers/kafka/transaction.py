"""Sending in transactions that commit the spool's cursor with the records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.kafka.client import Handle
from otel_stdlib.handlers.kafka.cursor import MOST_HOLES, Cursor, cursor_name, delete_cursor
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.kafka.producer import SpoolProducer
from otel_stdlib.handlers.kafka.sender import STORED
from otel_stdlib.spool.frame import lsns_of

__all__ = ["TransactionalSender"]

_REJECTED = "kafka.rejected"
_DUPLICATE = Outcome(Verdict.DUPLICATE, "its transaction was committed")
#: Spools that have a producer of their own at once; each has a few threads.
_MOST_PRODUCERS = 4


class TransactionalSender:
    """A producer for each spool; the brokers keep the cursor. Used by one thread.

    Args:
        meanwhile: called when the brokers have a batch and there is nothing to do but wait.
    """

    def __init__(
        self, options: KafkaOptions, identity: Identity, counters: Counters, meanwhile: Callable[[], None]
    ) -> None:
        self._options = options
        self._identity = identity
        self._counters = counters
        self._meanwhile = meanwhile
        self._producers: OrderedDict[str, SpoolProducer] = OrderedDict()
        self._probe: Handle | None = None

    def use(self, options: KafkaOptions) -> None:
        """Take options with other secrets, in new producers."""
        self.close()
        self._options = options

    def open(self) -> None:
        """See that brokers answer.

        Raises:
            RetryableError: they do not, or the topic is not there.
        """
        if self._probe is not None and self._probe.is_old:
            self._probe.discard()
            self._probe = None
        if self._probe is None:
            options = self._options
            self._probe = Handle(options.settings, options.servers, options.connection_max_age)
        self._probe.look(self._options.naming.fixed, self._options.timeout)

    def position(self, origin: Origin) -> int | None:
        """What the brokers know of this spool, after any open transaction of it was ended.

        Raises:
            RetryableError: they cannot be asked now.
        """
        producer = self._producer(origin)
        before = producer.cursor
        producer.place()
        if before is not None and producer.cursor is not None and producer.cursor.end < before.end:
            self._counters.add("commits_lost")
        return None if producer.cursor is None else producer.cursor.position

    def lost_from(self, origin: Origin) -> int | None:
        """What the brokers do not have, whatever they acknowledged once. None: they tell nothing."""
        producer = self._producer(origin)
        return None if producer.cursor is None else producer.cursor.end

    def deliver(self, batch: Batch) -> list[Outcome] | None:
        """Store a batch and the cursor behind it, both or neither.

        Raises:
            RetryableError: nothing is stored, or it is not known.
            PermanentError: so many are refused that they do not fit a cursor: to be halved.
        """
        producer = self._producer(batch.origin)
        producer.renew()
        if not producer.placed:
            producer.place()
        cursor = producer.cursor or Cursor()
        outcomes = {lsn: _DUPLICATE for lsn in lsns_of(batch.frames) if cursor.has(lsn)}
        # Holes below the batch are settled: their letters are written. Those beyond it are still to come.
        beyond = {lsn for lsn in cursor.holes if lsn >= batch.end}
        rejected = self._rejected(batch)
        alone = bool(rejected)
        while True:
            frames = batch.frames
            if outcomes or rejected:
                frames = [f for f in frames if f.lsn not in outcomes and f.lsn not in rejected]
            if not frames:
                break
            holes = beyond | {frame.lsn for frame in batch.frames if frame.lsn in rejected}
            if len(holes) > MOST_HOLES:
                raise PermanentError(f"more than {MOST_HOLES} records of one batch were refused")
            behind = Cursor(max(batch.end, cursor.end), frozenset(holes))
            done, again = producer.send(frames, behind, alone=alone)
            if all(outcome is STORED for outcome in done.values()) and not again:
                outcomes.update(done)
                break
            # Aborted. Alone it shows which records are at fault; then the others go without them.
            alone = alone or bool(again)
            rejected.update({n: o for n, o in done.items() if o.verdict is Verdict.REJECTED})
        if alone:
            self._counters.add("sent_alone", len(batch.frames))
            producer.discard()
        outcomes.update(rejected)
        if len(rejected) == len(batch.frames):
            # Perhaps the brokers take nothing at all: the next try asks them again.
            batch.memo.pop(_REJECTED, None)
        answer = [outcomes[lsn] for lsn in lsns_of(batch.frames)]
        return None if all(outcome is STORED for outcome in answer) else answer

    def try_out(self, batch: Batch) -> Outcome:
        """The brokers' verdict on one record, in a transaction that is aborted.

        Raises:
            RetryableError: there is none.
            PermanentError: the record has no readable topic.
        """
        producer = self._producer(batch.origin)
        if not producer.placed:
            producer.place()
        found, again = producer.try_out(batch.frames)
        if again:
            return Outcome(Verdict.RETRY, "the brokers took it neither alone nor with others")
        return next(iter(found.values()), STORED)

    @staticmethod
    def _rejected(batch: Batch) -> dict[int, Outcome]:
        """What this batch is known to hold that is refused, kept over its tries."""
        found = batch.memo.setdefault(_REJECTED, {})
        return found if isinstance(found, dict) else {}

    def probe(self) -> None:
        """Ask the brokers.

        Raises:
            RetryableError: they do not answer.
        """
        self.open()

    def forget(self, origin: Origin) -> None:
        """Delete the cursor of a spool that is gone."""
        name = cursor_name(self._identity, origin)
        producer = self._producers.pop(origin.spool_id, None) or self._new_producer(origin)
        producer.discard()
        if not delete_cursor(producer.connection, [name], min(2.0, self._options.timeout)):
            self._counters.add("forget_failed")

    def close(self) -> None:
        """End every producer; open transactions end with them."""
        producers = list(self._producers.values())
        self._producers.clear()
        for producer in producers:
            producer.discard()
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.discard()

    def _producer(self, origin: Origin) -> SpoolProducer:
        producer = self._producers.get(origin.spool_id)
        if producer is None:
            producer = self._new_producer(origin)
            self._producers[origin.spool_id] = producer
            self._counters.add("producers")
        self._producers.move_to_end(origin.spool_id)
        while len(self._producers) > _MOST_PRODUCERS:
            _, oldest = self._producers.popitem(last=False)
            oldest.discard()
        return producer

    def _new_producer(self, origin: Origin) -> SpoolProducer:
        return SpoolProducer(self._options, cursor_name(self._identity, origin), origin, self._meanwhile)
