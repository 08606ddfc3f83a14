"""Reading a topic in a consumer group and delivering it, offsets last."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from otel_stdlib.cli.given import GivenSource, parse_record
from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.contract import Destination, Origin
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import debug_logger, say
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.kafka.client import require_client
from otel_stdlib.handlers.kafka.message import UID_HEADER
from otel_stdlib.spool.frame import Frame

__all__ = ["Bridge", "Delivery"]

#: Records of one round: what is read before it is delivered and its offsets are committed.
_ROUND = 5_000
_TURN = 0.2
#: Origin of what is no record of ours, for the dead letters.
_FOREIGN = Origin("0" * 26, b"{}")


class Delivery(NamedTuple):
    """Where to and how."""

    destination: Destination
    policy: DeliveryPolicy
    letters: DeadLetterFile


class Bridge:
    """One member of a consumer group. Used by one thread.

    A round is read, delivered through the same engine as everywhere (retries, breaker, dead
    letters), and only then are its offsets committed. A kill in between delivers the round
    once more under the same uids.

    Raises:
        ConfigError: a setting of the consumer is wrong.
    """

    def __init__(self, settings: Mapping[str, Any], topic: str, delivery: Delivery) -> None:
        require_client()
        from confluent_kafka import Consumer, KafkaException

        self._topic = topic
        #: Other members have records of the same spools, and a place of their own in each.
        self._member = secrets.token_hex(8)
        self._delivery = delivery
        self._counters = Counters()
        self._attempts = Attempts(
            delivery.destination, delivery.policy, delivery.letters, Status(self._counters), None
        )
        #: Set by a signal: end after the present round, or leave it uncommitted when it cannot be delivered.
        self.stopping = False
        self._held = False
        try:
            self._consumer: Any = Consumer(
                {
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    **settings,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "logger": debug_logger,
                }
            )
        except KafkaException as error:
            raise ConfigError(f"the source's settings: {error.args[0].str()}") from None
        self._consumer.subscribe([topic], on_assign=self._assigned)

    @property
    def delivered(self) -> int:
        """Records that are stored, those among them that were there already."""
        return self._counters.get("stored") + self._counters.get("duplicate")

    @property
    def rejected(self) -> int:
        """Records in the dead letters."""
        return self._counters.get("rejected")

    def run(self, *, idle: float | None = None) -> None:
        """Work until ``stopping``, or until nothing came for ``idle`` seconds."""
        last = monotonic()
        while not self.stopping:
            batch = self._consumer.consume(_ROUND, timeout=_TURN)
            messages = [message for message in batch if self._is_message(message)]
            if messages:
                if not self._round(messages):
                    return
                last = monotonic()
            elif idle is not None and monotonic() - last >= idle:
                return

    def close(self) -> None:
        """Leave the group and close the destination."""
        self._consumer.close()
        self._delivery.destination.close()

    def _is_message(self, message: Any) -> bool:
        error = message.error()
        if error is not None:
            say(f"pipe:{self._topic}", f"reading {self._topic}: {error.str()}")
        return error is None

    def _round(self, messages: Sequence[Any]) -> bool:
        origins: dict[Origin, list[Frame]] = {}
        foreign: list[tuple[Frame, str]] = []
        for message in messages:
            headers = dict(message.headers() or ())
            milliseconds = max(0, message.timestamp()[1])
            parsed = parse_record(message.value(), headers.get(UID_HEADER), milliseconds, self._member)
            if parsed is None:
                place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
                foreign.append(_foreign_letter(message.value(), milliseconds, message.offset(), place))
            else:
                origins.setdefault(parsed.origin, []).append(parsed.frame)
        for origin, frames in origins.items():
            if not self._deliver(origin, frames):
                return False
        if foreign:
            self._delivery.letters.write(_FOREIGN, foreign)
            self._counters.add("rejected", len(foreign))
        return self._commit(messages)

    def _deliver(self, origin: Origin, frames: Sequence[Frame]) -> bool:
        """Deliver one origin's records; False when it was told to stop before that was done."""
        destination = self._delivery.destination
        # Partitions are not in a spool's order: no position that a target kept of it counts here.
        destination.forget(origin)
        lane = Lane(GivenSource(origin, frames), self._delivery.policy, random.random, None)
        while not lane.finished():
            if not self._attempts.serve(lane, monotonic()):
                if self.stopping:
                    return False
                self._hold()
        destination.forget(origin)
        self._release()
        return True

    def _hold(self) -> None:
        """Stay in the group while the destination is away, without reading on."""
        if not self._held:
            self._held = True
            self._consumer.pause(self._consumer.assignment())
        self._consumer.poll(_TURN)

    def _release(self) -> None:
        if self._held:
            self._held = False
            self._consumer.resume(self._consumer.assignment())

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        consumer.assign(partitions)
        if self._held:
            consumer.pause(partitions)

    def _commit(self, messages: Sequence[Any]) -> bool:
        from confluent_kafka import KafkaException, TopicPartition

        ends = {(m.topic(), m.partition()): m.offset() + 1 for m in messages}
        mine = {(p.topic, p.partition) for p in self._consumer.assignment()}
        offsets = [TopicPartition(*place, end) for place, end in ends.items() if place in mine]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                # Somebody reads them again: the uids tell.
                say(f"pipe-commit:{self._topic}", f"offsets were not committed: {error.args[0].str()}")
        return True


def _foreign_letter(value: bytes | None, milliseconds: int, offset: int, place: str) -> tuple[Frame, str]:
    text = (value or b"")[:65_536].decode("utf-8", "replace")
    payload = orjson.dumps({"body": text, "attributes": {}})[:-2]
    return Frame(offset, milliseconds * 1_000_000, 0, 0, payload), f"{place} is no record of otel_stdlib"
