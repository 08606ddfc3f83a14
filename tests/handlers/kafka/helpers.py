"""Topics, destinations and counts of what is in a topic."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.kafka import KafkaDestination, KafkaOptions
from tests.handlers.elasticsearch.helpers import ListSource
from tests.servers.kafka import KafkaBroker

if TYPE_CHECKING:
    from confluent_kafka import Message

#: Options that make a test's retries quick.
QUICK: dict[str, Any] = {
    "retry_delay": 0.05,
    "max_retry_delay": 0.2,
    "circuit_breaker_timeout": 0.1,
    "health_check_interval": 0.1,
    "timeout": 20.0,
}


def destination(server: str, topic: str, **options: Any) -> KafkaDestination:
    """A destination with quick retries."""
    return KafkaDestination(KafkaOptions(bootstrap_servers=server, topic=topic, **{**QUICK, **options}))


@contextmanager
def working(target: KafkaDestination, *sources: ListSource, dead: Path) -> Iterator[DestinationWorker]:
    """The real delivery thread over sources, stopped at the end."""
    letters = DeadLetterFile(dead, target.identity)
    worker = DestinationWorker(target, target.options.policy, dead_letters=letters)
    for source in sources:
        worker.add_source(source)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(time.monotonic() + 5)


def settled(source: ListSource) -> bool:
    """Whether everything that the source has is delivered."""
    return source.cursor >= source.head()


def header(message: Message, name: str) -> str:
    """The text of a header."""
    found = dict(message.headers() or ())[name]
    return found.decode() if isinstance(found, bytes) else str(found)


def stored_uids(broker: KafkaBroker, topic: str) -> Counter[str]:
    """How often each uid stands in a topic."""
    return Counter(header(message, "log.record.uid") for message in broker.messages(topic))
