"""The spool's cursor as an offset of a consumer group, which a transaction commits with its records.

The group is named after the destination and the spool and has no members. The offset is the
LSN below which everything is stored, but for the *holes*: records that the brokers refused,
whose LSNs stand in the offset's metadata. A dead letter is written after the transaction; a
kill in between comes back to the hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.facts.diagnostics import debug_logger
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.threads import Thread
from otel_stdlib.handlers.kafka.client import Handle, error_text, leave_behind

__all__ = [
    "MOST_HOLES",
    "Cursor",
    "CursorReader",
    "cursor_name",
    "delete_cursor",
    "group_metadata",
    "pack_cursor",
    "read_cursor",
    "send_cursor",
]

#: A broker's ``offset.metadata.max.bytes`` is 4096; an LSN has up to 19 digits and a comma.
MOST_HOLES = 150
#: How long the group's coordinator may take to answer.
_COORDINATOR = 5.0


class Cursor(NamedTuple):
    """How far a spool is stored."""

    end: int = 0
    holes: frozenset[int] = frozenset()

    @property
    def position(self) -> int:
        """Where to read on: the first hole, or the end."""
        return min(self.holes, default=self.end)

    def has(self, lsn: int) -> bool:
        """Whether a record is stored."""
        return lsn < self.end and lsn not in self.holes


def cursor_name(identity: Identity, origin: Origin) -> str:
    """The consumer group's name, and the transactional id: one for each spool at each destination."""
    return f"otel_stdlib-{identity.hash}-{origin.spool_id}"


def pack_cursor(topic: str, cursor: Cursor) -> Any:
    """The offset to commit; which topic it stands under does not matter."""
    from confluent_kafka import TopicPartition

    metadata = orjson.dumps(sorted(cursor.holes)).decode() if cursor.holes else ""
    return TopicPartition(topic, 0, cursor.end, metadata=metadata)


class CursorReader:
    """Reads what was committed last, waiting for transactions that are ending. Used by one thread.

    A consumer asks, not the admin client: there librdkafka (2.16) crashes the process when the
    coordinator has moved or is starting (``rd_kafka_handle_OffsetFetch`` goes to a group that an
    admin client does not have).
    """

    def __init__(self, client: Mapping[str, Any], group: str) -> None:
        from confluent_kafka import Consumer

        self._group = group
        settings = {"retry.backoff.ms": 5, "retry.backoff.max.ms": 100, **client}
        self.consumer: Any = Consumer({**settings, "group.id": group, "isolation.level": "read_committed"})
        _readers.add(self)

    def read(self, topic: str | None, timeout: float) -> Cursor | None:
        """The cursor that stands under ``topic``; None as ``topic``: under any. None: there is none.

        Raises:
            RetryableError: it cannot be read now.
        """
        from confluent_kafka import KafkaException, TopicPartition

        consumer = self.consumer
        try:
            topics = [topic] if topic is not None else sorted(consumer.list_topics(timeout=timeout).topics)
            found = consumer.committed([TopicPartition(name, 0) for name in topics], timeout)
            failed = next((entry.error for entry in found if entry.error is not None), None)
            if failed is not None:
                raise KafkaException(failed)
        except KafkaException as error:
            text = f"the cursor in group {self._group!r} cannot be read: {error_text(error)}"
            raise RetryableError(text) from error
        # With one topic a tenant the offsets of several batches lie beside each other: the highest is the last.
        return max(
            (_unpack(entry) for entry in found if entry.offset >= 0), key=lambda c: c.end, default=None
        )

    def is_stable(self, ends: Mapping[tuple[str, int], int], timeout: float) -> bool:
        """Whether no transaction is open below these offsets, by topic and partition.

        Raises:
            RetryableError: it cannot be asked now.
        """
        from confluent_kafka import KafkaException, TopicPartition

        try:
            for place, end in ends.items():
                # For a reader of committed messages the high watermark is the last stable offset.
                if self.consumer.get_watermark_offsets(TopicPartition(*place), timeout)[1] <= end:
                    return False
        except KafkaException as error:
            raise RetryableError(f"partitions cannot be asked: {error_text(error)}") from error
        return True

    def close(self) -> None:
        """End it."""
        consumer, self.consumer = self.consumer, None
        if consumer is not None:
            _readers.discard(self)
            consumer.close()


def _leave_consumer(reader: CursorReader) -> None:
    consumer, reader.consumer = reader.consumer, None
    leave_behind(consumer)


_readers = ForkRegistry(_leave_consumer)


def read_cursor(client: Mapping[str, Any], group: str, topic: str | None, timeout: float) -> Cursor | None:
    """``CursorReader.read``, once.

    Raises:
        RetryableError: it cannot be read now.
    """
    reader = CursorReader(client, group)
    try:
        return reader.read(topic, timeout)
    finally:
        reader.close()


def _unpack(entry: Any) -> Cursor:
    try:
        holes = orjson.loads(entry.metadata) if entry.metadata else []
    except ValueError:
        holes = []
    return Cursor(entry.offset, frozenset(holes if isinstance(holes, list) else ()))


def delete_cursor(client: Mapping[str, Any], groups: Sequence[str], timeout: float) -> bool:
    """Delete cursors of spools that are gone; whether it was done. The brokers forget them in days anyway."""
    from confluent_kafka.admin import AdminClient

    try:
        admin = AdminClient(dict(client))  # answers come only while it lives
        for asked in admin.delete_consumer_groups(list(groups), request_timeout=timeout).values():
            asked.result(timeout + 1.0)
    except Exception as error:
        debug_logger.debug("deleting cursors: %s", error_text(error))
        return False
    return True


def group_metadata(client: Mapping[str, Any], group: str) -> Any:
    """What a transaction names the group by. Connects to nothing."""
    from confluent_kafka import Consumer

    consumer = Consumer({**client, "group.id": group})
    try:
        return consumer.consumer_group_metadata()
    finally:
        consumer.close()


def send_cursor(handle: Handle, offset: Any, metadata: Any, timeout: float) -> None:
    """Make the cursor part of the open transaction.

    librdkafka ignores its own limit of time here and may wait for a lost coordinator for good
    (confluentinc/librdkafka issues 5456 and 5511). So the call is made on a thread of its own,
    which is left behind with its producer when the time is over. That thread alone has the producer
    then, and ends it when the call returns: when any broker's connection changes, or as the next
    producer of the same id fences it.

    Raises:
        RetryableError: no answer in time.
        KafkaException: the brokers refused it.
    """
    errors: list[BaseException] = []
    producer = handle.producer

    def call() -> None:
        try:
            producer.send_offsets_to_transaction([offset], metadata, timeout)
        except BaseException as error:
            # Its frames refer to the producer and to this list: a cycle, and the garbage collector, which clears
            # a client's callbacks and locks before it ends its threads, would destroy it on any thread at any time.
            errors.append(error.with_traceback(None))

    thread = Thread(target=call, name="otel-stdlib-kafka-cursor")
    thread.start()
    limit = min(timeout, _COORDINATOR)
    thread.join(limit)
    if thread.is_alive():
        thread.name = "left-by-otel-stdlib-kafka"  # nobody waits for it
        handle.give_away()
        raise RetryableError(f"the cursor's coordinator at {handle.where} did not answer within {limit:g} s")
    if errors:
        raise errors.pop()  # not kept in this frame, which the error refers to
