"""One spool's producer: transactions that hold a batch's records and the cursor behind them.

That a commit was acknowledged is not taken as its end: the brokers have yet to write its markers
into each partition. A broker of one node that is killed before them may come back and leave them out
(``TransactionMarkerChannelManager``: "Couldn't find leader endpoint for partitions ... likely deleted
already and hence can be skipped", 4.4): the transaction is complete in its coordinator's books,
hangs open in every partition, and ends with the next transaction of the same id, one way or the other.
So a batch counts as stored when a consumer reads its cursor back, which the last marker makes visible.
Where the cursor hangs and the records do not (their marker was written first), the cursor alone is
committed; where both hang they are ended as aborted, and the batch is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from otel_stdlib.delivery.contract import Origin, Outcome, Verdict
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.diagnostics import debug_logger
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.facts.threads import sleep
from otel_stdlib.handlers.kafka.client import Handle, error_text
from otel_stdlib.handlers.kafka.cursor import (
    Cursor,
    CursorReader,
    group_metadata,
    pack_cursor,
    read_cursor,
    send_cursor,
)
from otel_stdlib.handlers.kafka.message import messages
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.kafka.sender import (
    STORED,
    Report,
    note_places_in,
    produce_all,
    sort_reports,
    wait_for_reports,
)
from otel_stdlib.spool.frame import Frame

__all__ = ["SpoolProducer"]

#: How long a cursor may take to be readable: markers are written in milliseconds.
_READ_BACK = 5.0
#: How long other transactions may hide whether ours is open.
_STABLE = 1.0
#: How long a connection may be idle.
_IDLE_MS = 10_000
#: Settings of a producer that the clients beside it do not know.
_CONNECTION = (
    "bootstrap.servers",
    "security.",
    "sasl.",
    "ssl.",
    "socket.",
    "connections.",
    "broker.",
    "client.",
    "enable.ssl.",
)


class SpoolProducer:
    """One spool's producer. Its transactional id is the spool's: whoever takes the spool over fences the last."""

    def __init__(
        self, options: KafkaOptions, name: str, origin: Origin, meanwhile: Callable[[], None]
    ) -> None:
        self.name = name
        self._options = options
        self._origin = origin
        self._meanwhile = meanwhile
        self._milliseconds = max(1_000, int(options.timeout * 1_000))
        self.connection = {
            **{key: value for key, value in options.settings.items() if key.startswith(_CONNECTION)},
            "logger": debug_logger,
        }
        self._metadata: Any = None
        self._handle: Handle | None = None
        self._alone = False
        self._reader: CursorReader | None = None
        #: Under which topic the cursor stands.
        self._topic = options.naming.fixed
        #: An earlier transaction hangs open in the partitions of the records that come next.
        self._hanging = False
        #: What was read or read back last; meaningless while not ``placed``.
        self.cursor: Cursor | None = None
        self.placed = False
        #: A commit that was acknowledged and not read back, and the ends of its records.
        self._unseen: tuple[Cursor, dict[tuple[str, int], int]] | None = None

    def open(self, *, alone: bool = False) -> Handle:
        """A producer that owns the spool at the brokers: transactions of earlier ones have ended.

        ``alone`` makes one that sends each record in a message set of its own.

        Raises:
            RetryableError: not now.
        """
        handle = self._handle
        if handle is not None and self._alone == alone and not (handle.fatal or handle.is_outdated):
            return handle
        self.discard()
        settings = {
            **self._options.settings,
            # A call that waits for a lost coordinator looks for it again when any connection changes: see send_cursor.
            "connections.max.idle.ms": self._max_idle(),
            "transactional.id": self.name,
            "transaction.timeout.ms": self._milliseconds,
            **({"batch.size": 1} if alone else {}),
        }
        handle = Handle(settings, self._options.servers, self._options.connection_max_age)
        try:
            handle.producer.init_transactions(self._options.timeout)
        except Exception as error:
            failure = handle.failure("transactions cannot begin", error)
            handle.discard()
            raise failure from error
        if self._metadata is None:
            self._metadata = group_metadata(self.connection, self.name)
        self._handle, self._alone = handle, alone
        return handle

    def _max_idle(self) -> Any:
        given = self._options.settings["connections.max.idle.ms"]
        own = "connections.max.idle.ms" in self._options.client
        return given if own else min(given or _IDLE_MS, _IDLE_MS)

    def renew(self) -> None:
        """End a producer whose connections are too old, between two transactions."""
        if self._handle is not None and self._handle.is_old:
            self.discard()

    def place(self) -> None:
        """Read the cursor, with nothing of an earlier producer under way any more.

        Raises:
            RetryableError: not now.
        """
        handle = self.open()
        limit = min(_READ_BACK, self._options.timeout)
        try:
            self.cursor = read_cursor(self.connection, self.name, self._options.naming.fixed, limit)
        except RetryableError:
            if self._topic is None:
                raise
            self._end_hanging(handle, self._topic, limit)
            self.cursor = read_cursor(self.connection, self.name, self._options.naming.fixed, limit)
        self.placed = True
        self._unseen = None

    def _end_hanging(self, handle: Handle, topic: str, limit: float) -> None:
        """End what hangs open in the cursor's partition: both ends are right only where its records agree."""
        cursor = self._seen_by_readers(limit)
        try:
            handle.producer.begin_transaction()
            send_cursor(handle, pack_cursor(topic, cursor or Cursor()), self._metadata, limit)
            if cursor is None:
                handle.producer.abort_transaction(limit)
            else:
                handle.producer.commit_transaction(limit)
        except Exception as error:
            self.discard()
            text = f"the cursor's partition at {handle.where} is not free: {error_text(error)}"
            raise RetryableError(text) from error
        self._hanging = cursor is None
        self._unseen = None

    def _seen_by_readers(self, limit: float) -> Cursor | None:
        """The cursor of a commit whose records readers have already; None: they do not."""
        if self._unseen is None:
            return None
        cursor, ends = self._unseen
        reader = CursorReader(self.connection, self.name)
        deadline = monotonic() + min(limit, _STABLE)
        try:
            while not reader.is_stable(ends, limit):  # others' transactions come and go
                if monotonic() > deadline:
                    return None
                sleep(0.05)
            return cursor
        finally:
            reader.close()

    def send(
        self, frames: Sequence[Frame], cursor: Cursor, *, alone: bool
    ) -> tuple[dict[int, Outcome], list[int]]:
        """One transaction. Committed only when all frames were taken: then every outcome is stored.

        Raises:
            PermanentError: a record has no readable topic; nothing is stored.
            RetryableError: it failed or its outcome is not known; the next ``place`` tells.
        """
        if self._hanging and frames:
            self._transact(frames, cursor, alone=alone, commit=False)
            self._hanging = False
        return self._transact(frames, cursor, alone=alone, commit=True)

    def try_out(self, frames: Sequence[Frame]) -> tuple[dict[int, Outcome], list[int]]:
        """The same for a transaction that is aborted: no outcome where all frames would be stored."""
        return self._transact(frames, self.cursor or Cursor(), alone=True, commit=False)

    def _transact(
        self, frames: Sequence[Frame], cursor: Cursor, *, alone: bool, commit: bool
    ) -> tuple[dict[int, Outcome], list[int]]:
        deadline = monotonic() + self._options.timeout
        handle = self.open(alone=alone)
        reports: dict[int, Report] = {}
        ends: dict[tuple[str, int], int] = {}
        try:
            handle.producer.begin_transaction()
            topic = next(messages(frames[:1], self._origin, self._options.naming))[1]
            found = messages(frames, self._origin, self._options.naming)
            note = note_places_in(reports, ends, self._origin)
            produce_all(handle, found, reports, note, deadline, stamp=not alone)
            self._meanwhile()
            waiting = wait_for_reports(handle, reports, deadline)
            outcomes, again = sort_reports(reports, final=alone)
            if again or any(outcome.verdict is Verdict.REJECTED for outcome in outcomes.values()):
                self.discard()  # the next producer of this id aborts the transaction
                return outcomes, again
            if waiting or len(outcomes) < len(frames):
                raise handle.failure(f"no delivery report within {self._options.timeout:g} s")
            refused = next((o.reason for o in outcomes.values() if o is not STORED), None)
            if refused is not None:
                raise RetryableError(f"{handle.where} took no record: {refused}")
            rest = max(1.0, deadline - monotonic())
            send_cursor(handle, pack_cursor(topic, cursor), self._metadata, rest)
            if not commit:
                handle.producer.abort_transaction(rest)
                return {}, []
            self._topic = topic
            handle.producer.commit_transaction(rest)
            self._unseen = (cursor, ends)
            self._read_back(topic, cursor)
            self._unseen = None
        except (PermanentError, RetryableError):
            self.discard()
            raise
        except Exception as error:
            failure = RetryableError(f"a transaction at {self._options.servers} failed: {error_text(error)}")
            self.discard()
            raise failure from error
        self.cursor = cursor
        return outcomes, []

    def _read_back(self, topic: str, cursor: Cursor) -> None:
        """See that a commit is in the logs, not only acknowledged.

        Raises:
            RetryableError: it is not seen.
        """
        if self._reader is None:
            self._reader = CursorReader(self.connection, self.name)
        found = self._reader.read(topic, min(_READ_BACK, self._options.timeout))
        if found is None or found.end < cursor.end:
            raise RetryableError(f"a commit at {self._options.servers} was acknowledged and is not there")

    def discard(self) -> None:
        """End the producer, and with it an open transaction. The cursor is to be read again."""
        self.placed = False
        handle, self._handle = self._handle, None
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if handle is not None:
            handle.discard()
