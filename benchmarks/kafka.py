"""Kafka: ``python -m benchmarks.kafka [--records N] [--rounds N] [--write]``.

A broker of the tests is started. In one run, in turns:

- a raw producer: confluent-kafka with the same settings, the same keys, values, headers and timestamps ready-made
  in memory, handed over in the same way, one callback that counts reports;
- the delivery engine: a spool that a process left, read and delivered; without and with transactions;
- end to end: from the first log call to the last report, in the process that logs.

At the end of each the messages in the topic are counted by uid.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib.handlers import KafkaHandler
from otel_stdlib.handlers.kafka.options import KafkaOptions
from tests.servers.kafka import KafkaBroker

__all__ = ["main"]

_LEAVE = """
import logging, os, sys
from benchmarks.kafka import burst, make
handler, logger = make("127.0.0.1:1", sys.argv[1], sys.argv[2], sys.argv[3] == "1", servers=sys.argv[4])
burst(logger, int(sys.argv[5]))
os._exit(0)
"""


def make(
    reach: str, topic: str, folder: str, transactional: bool, *, servers: str
) -> tuple[KafkaHandler, logging.Logger]:
    """A handler on a logger of its own; it delivers nothing where ``reach`` is not ``servers``."""
    handler = KafkaHandler(
        bootstrap_servers=servers, topic=topic, transactional=transactional, spool={"directory": folder}
    )
    if reach != servers:
        # The same identity, and no delivery: this process only fills the spool.
        handler.make_destination = _Nowhere(handler).make  # type: ignore[method-assign]
    logger = logging.Logger("benchmark", logging.INFO)
    logger.addHandler(handler)
    return handler, logger


class _Nowhere:
    def __init__(self, handler: KafkaHandler) -> None:
        self._made = handler.make_destination()

    def make(self) -> Any:
        def refuse() -> None:
            raise OSError("not here")

        self._made.open = refuse  # type: ignore[method-assign]
        return self._made


def burst(logger: logging.Logger, records: int) -> None:
    """Log so many."""
    for number in range(records):
        logger.info("order %d placed", number, extra={"order": number, "user": "u-4711", "total": 12.5})


def _check(broker: KafkaBroker, topic: str, records: int) -> list[Any]:
    found = broker.messages(topic)
    uids = {dict(message.headers() or ())["log.record.uid"] for message in found}
    if len(uids) < records or len(found) != len(uids):
        raise RuntimeError(f"{len(found)} messages, {len(uids)} uids, {records} records")
    return found


def _topic(broker: KafkaBroker, name: str) -> str:
    topic = f"benchmark-{name}-{uuid.uuid4().hex[:8]}"
    broker.create_topic(topic)
    return topic


def end_to_end(broker: KafkaBroker, records: int) -> tuple[float, list[Any]]:
    """Records per second with the log calls, and the messages for the raw producer."""
    topic = _topic(broker, "calls")
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        handler, logger = make(broker.bootstrap, topic, folder, False, servers=broker.bootstrap)
        logger.info("first")
        handler.flush(60)
        begin = time.perf_counter()
        burst(logger, records)
        if not handler.flush(300):
            raise RuntimeError(str(handler.health()))
        rate = records / (time.perf_counter() - begin)
        handler.stop(1.0)
    return rate, _check(broker, topic, records)


def engine(broker: KafkaBroker, records: int, *, transactional: bool) -> float:
    """Records per second from a spool that is there already, from before its first read to its last report."""
    topic = _topic(broker, "engine")
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        given = [topic, folder, str(int(transactional)), broker.bootstrap, str(records)]
        subprocess.run([sys.executable, "-c", _LEAVE, *given], check=True, timeout=300)
        handler, _ = make(broker.bootstrap, topic, folder, transactional, servers=broker.bootstrap)
        begun = _note_begin(handler)
        handler.start()
        sent = 0
        while sent < records:
            time.sleep(0.02)  # a report costs the delivery thread the GIL
            destinations = handler.health()
            sent = next(iter(destinations["destinations"].values()))["sent"]
        rate = records / (time.perf_counter() - max(begun.values()))
        handler.stop(1.0)
    _check(broker, topic, records)
    return rate


def _note_begin(handler: KafkaHandler) -> dict[str, float]:
    """By spool, when its delivery began: brokers and topic have answered, nothing is read yet."""
    begun: dict[str, float] = {}
    make_destination = handler.make_destination

    def make_noted() -> Any:
        made = make_destination()
        position = made.position

        def noted(origin: Any) -> int | None:
            found = position(origin)
            begun.setdefault(origin.spool_id, time.perf_counter())
            return found

        made.position = noted  # type: ignore[method-assign]
        return made

    handler.make_destination = make_noted  # type: ignore[method-assign]
    return begun


def raw(broker: KafkaBroker, ready: list[tuple[bytes, bytes, list[Any], int]]) -> float:
    """Records per second of a producer that has everything ready."""
    from confluent_kafka import Producer

    topic = _topic(broker, "raw")
    producer = Producer({**KafkaOptions(bootstrap_servers=broker.bootstrap).settings})
    producer.list_topics(topic, timeout=20)
    reports = 0

    def on_delivery(error: object, _message: object) -> None:
        nonlocal reports
        reports += error is None

    begin = time.perf_counter()
    for number, (key, value, headers, timestamp) in enumerate(ready):
        while True:
            try:
                producer.produce(topic, value, key, -1, on_delivery, None, timestamp, headers)
                break
            except BufferError:
                producer.poll(0.01)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush(60)
    rate = len(ready) / (time.perf_counter() - begin)
    if reports != len(ready):
        raise RuntimeError(f"{reports} reports")
    return rate


def main() -> None:
    """Run, print, and with ``--write`` put the table into RESULTS.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rates: dict[str, list[float]] = {}
    with KafkaBroker(heap="1g") as broker:
        for _ in range(given.rounds + 1):  # the first one warms up
            rate, found = end_to_end(broker, given.records)
            ready = [(m.key(), m.value(), m.headers(), m.timestamp()[1]) for m in found]
            raw_rate = raw(broker, ready)
            del found, ready  # what the garbage collector walks over is not to be the benchmark's
            for name, value in (
                ("raw confluent-kafka producer, messages ready-made", raw_rate),
                ("**KafkaHandler**, from a spool", engine(broker, given.records, transactional=False)),
                (
                    "**KafkaHandler**, from a spool, transactional",
                    engine(broker, given.records, transactional=True),
                ),
                ("**KafkaHandler**, from the log call on", rate),
            ):
                rates.setdefault(name, []).append(value)
    medians = {name: statistics.median(values[1:]) for name, values in rates.items()}
    base = next(iter(medians.values()))
    rows = [[name, f"{rate:,.0f}", f"{rate / base:.2f}"] for name, rate in medians.items()]
    text = table(["to one partition, acks=all, idempotent", "records/s", "of the raw producer"], rows)
    note = (
        f"`{command_line('benchmarks.kafka')}`: {given.records:,} records, medians of {given.rounds} interleaved "
        "rounds, every message counted by uid: none missing, none double. "
        + machine(["confluent-kafka", "orjson"])
    )
    print(f"{text}\n\n{note}")
    if given.write:
        write_section(RESULTS, "kafka", f"## Kafka\n\n{text}\n\n{note}")


if __name__ == "__main__":
    main()
