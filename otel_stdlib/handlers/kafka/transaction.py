"""Sending in transactions that commit the spool's cursor with the records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from otel_stdlib.delivery.contract import Batch, Identity, Origin, Outcome, Verdict
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.handlers.kafka.client import Handle
from otel_stdlib.handlers.kafka.cursor import MOST_HOLES, Cursor, cursor_name, delete_cursor
from otel_stdlib.handlers.kafka.lane import SpoolProducer
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.kafka.sender import STORED

__all__ = ["TransactionalSender"]

_DUPLICATE = Outcome(Verdict.DUPLICATE, "its transaction was committed")
#: Spools that have a producer of their own at once; each has a few threads.
_MOST_LANES = 4


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
        self._lanes: OrderedDict[str, SpoolProducer] = OrderedDict()
        self._probe: Handle | None = None

    def open(self) -> None:
        """See that brokers answer.

        Raises:
            RetryableError: they do not, or the topic is not there.
        """
        if self._probe is None:
            self._probe = Handle(self._options.settings, self._options.servers)
        self._probe.look(self._options.naming.fixed, self._options.timeout)

    def position(self, origin: Origin) -> int | None:
        """What the brokers know of this spool, after any open transaction of it was ended.

        Raises:
            RetryableError: they cannot be asked now.
        """
        lane = self._lane(origin)
        before = lane.cursor
        lane.place()
        if before is not None and lane.cursor is not None and lane.cursor.end < before.end:
            self._counters.add("commits_lost")
        return None if lane.cursor is None else lane.cursor.position

    def lost_from(self, origin: Origin) -> int | None:
        """What the brokers do not have, whatever they acknowledged once. None: they tell nothing."""
        lane = self._lane(origin)
        return None if lane.cursor is None else lane.cursor.end

    def deliver(self, batch: Batch) -> list[Outcome] | None:
        """Store a batch and the cursor behind it, both or neither.

        Raises:
            RetryableError: nothing is stored, or it is not known.
            PermanentError: so many are refused that they do not fit a cursor: to be halved.
        """
        lane = self._lane(batch.origin)
        if not lane.placed:
            lane.place()
        cursor = lane.cursor or Cursor()
        outcomes: dict[int, Outcome] = {f.lsn: _DUPLICATE for f in batch.frames if cursor.has(f.lsn)}
        # Holes below the batch are settled: their letters are written. Those beyond it are still to come.
        beyond = {lsn for lsn in cursor.holes if lsn >= batch.end}
        rejected = self._rejected(batch)
        alone = bool(rejected)
        while True:
            frames = [f for f in batch.frames if f.lsn not in outcomes and f.lsn not in rejected]
            if not frames:
                break
            holes = beyond | {frame.lsn for frame in batch.frames if frame.lsn in rejected}
            if len(holes) > MOST_HOLES:
                raise PermanentError(f"more than {MOST_HOLES} records of one batch were refused")
            behind = Cursor(max(batch.end, cursor.end), frozenset(holes))
            done, again = lane.send(frames, behind, alone=alone)
            if all(outcome is STORED for outcome in done.values()) and not again:
                outcomes.update(done)
                break
            # Aborted. Alone it shows which records are at fault; then the others go without them.
            alone = alone or bool(again)
            rejected.update({n: o for n, o in done.items() if o.verdict is Verdict.REJECTED})
        if alone:
            self._counters.add("sent_alone", len(batch.frames))
            lane.discard()
        outcomes.update(rejected)
        answer = [outcomes[frame.lsn] for frame in batch.frames]
        return None if all(outcome is STORED for outcome in answer) else answer

    @staticmethod
    def _rejected(batch: Batch) -> dict[int, Outcome]:
        """What this batch is known to hold that is refused, kept over its tries."""
        found = batch.memo.setdefault("kafka.rejected", {})
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
        lane = self._lanes.pop(origin.spool_id, None) or self._new_lane(origin)
        lane.discard()
        if not delete_cursor(lane.connection, [name], min(2.0, self._options.timeout)):
            self._counters.add("forget_failed")

    def close(self) -> None:
        """End every producer; open transactions end with them."""
        lanes = list(self._lanes.values())
        self._lanes.clear()
        for lane in lanes:
            lane.discard()
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.discard()

    def _lane(self, origin: Origin) -> SpoolProducer:
        lane = self._lanes.get(origin.spool_id)
        if lane is None:
            lane = self._new_lane(origin)
            self._lanes[origin.spool_id] = lane
            self._counters.add("producers")
        self._lanes.move_to_end(origin.spool_id)
        while len(self._lanes) > _MOST_LANES:
            _, oldest = self._lanes.popitem(last=False)
            oldest.discard()
        return lane

    def _new_lane(self, origin: Origin) -> SpoolProducer:
        return SpoolProducer(self._options, cursor_name(self._identity, origin), origin, self._meanwhile)
