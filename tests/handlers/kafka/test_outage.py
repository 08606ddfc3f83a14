"""A broker that cannot be reached for a while: the breaker, the fallback, an application's event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import KafkaHandler
from tests.handlers.kafka.helpers import QUICK, stored_uids
from tests.servers.kafka import KafkaBroker
from tests.servers.ports import free_port
from tests.support import eventually, needs_kafka, whole_lines

OUTAGE = {**QUICK, "timeout": 1.0, "circuit_breaker_threshold": 2, "circuit_breaker_timeout": 0.5}


@contextmanager
def handling(
    server: str, topic: str, folder: Path, **options: Any
) -> Iterator[tuple[KafkaHandler, logging.Logger]]:
    """A handler on a logger of its own."""
    given = {**OUTAGE, "spool": {"directory": str(folder / "spool")}, **options}
    handler = KafkaHandler(bootstrap_servers=server, topic=topic, **given)
    logger = logging.Logger("outage", logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler, logger
    finally:
        handler.stop(10)


def report(handler: KafkaHandler) -> dict[str, Any]:
    """The report of the one destination."""
    (found,) = handler.health()["destinations"].values()
    assert isinstance(found, dict)
    return found


def test_the_breaker_opens_and_the_fallback_is_readable(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path
) -> None:
    """With the broker cut off records can be read in the fallback's file; afterwards each is delivered once."""
    file = tmp_path / "waiting.jsonl"
    fallback = {"filename": str(file), "after": 0.2}
    with handling(kafka_broker.proxied_bootstrap, topic, tmp_path, fallback=fallback) as (handler, logger):
        logger.info("before")
        assert handler.flush(60)
        kafka_broker.proxy.stop()
        try:
            for number in range(50):
                logger.info("waiting %d", number)
            eventually(lambda: report(handler)["circuit_breaker"] != "closed", 60)
            eventually(lambda: len(whole_lines(file)) == 50, 60)
            lines = [json.loads(line) for line in whole_lines(file)]
            assert [line["body"] for line in lines] == [f"waiting {number}" for number in range(50)]
        finally:
            kafka_broker.proxy.start()
        assert handler.flush(60)
        eventually(lambda: report(handler)["circuit_breaker"] == "closed", 10)
    counts = stored_uids(kafka_broker, topic)
    assert len(counts) == 51
    assert set(counts.values()) == {1}
    assert {line["attributes"]["log.record.uid"] for line in lines} < set(counts)


@needs_kafka
def test_the_breaker_opens_when_no_broker_listens(tmp_path: Path) -> None:
    """With the usual threshold and time limit: a refused connection is known at once."""
    options = {"timeout": 30.0, "circuit_breaker_threshold": 5, "circuit_breaker_timeout": 60.0}
    with handling(f"127.0.0.1:{free_port()}", "logs", tmp_path, **options) as (handler, logger):
        logger.info("waits")
        eventually(lambda: report(handler)["circuit_breaker"] == "open", 20)
        assert "no broker answers" in report(handler)["last_error"]


@pytest.mark.parametrize("transactional", [False, True])
def test_the_breaker_opens_when_the_broker_goes(
    kafka_broker: KafkaBroker, topic: str, tmp_path: Path, transactional: bool
) -> None:
    """In the middle of its work, and closes when the broker is back; each record is there once."""
    options = {"timeout": 30.0, "circuit_breaker_threshold": 5, "transactional": transactional}
    with handling(kafka_broker.proxied_bootstrap, topic, tmp_path, **options) as (handler, logger):
        logger.info("before")
        assert handler.flush(60)
        kafka_broker.proxy.stop()
        try:
            logger.info("waits")
            eventually(lambda: report(handler)["circuit_breaker"] != "closed", 28)
        finally:
            kafka_broker.proxy.start()
        assert handler.flush(60)
        eventually(lambda: report(handler)["circuit_breaker"] == "closed", 10)
    assert [1, 1] == list(stored_uids(kafka_broker, topic).values())


def test_the_clients_own_logs_do_not_come_back(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    """With the handler on the root logger and all of librdkafka's talk on, only the application's records arrive."""
    root = logging.getLogger()
    level = root.level
    options: dict[str, Any] = {"client": {"debug": "all"}}
    with handling(kafka_broker.proxied_bootstrap, topic, tmp_path, **options) as (handler, logger):
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            logger.info("one")
            assert handler.flush(60)
            kafka_broker.proxy.stop()
            logger.info("two")
            eventually(lambda: report(handler)["failing"], 60)
            kafka_broker.proxy.start()
            assert handler.flush(60)
        finally:
            kafka_broker.proxy.start()
            root.removeHandler(handler)
            root.setLevel(level)
    bodies = [json.loads(message.value() or b"")["body"] for message in kafka_broker.messages(topic)]
    assert bodies == ["one", "two"]


def test_nothing_runs_on_an_event_loop(kafka_broker: KafkaBroker, topic: str, tmp_path: Path) -> None:
    """An asyncio application's log calls leave no task, callback or thread of the loop's behind."""

    async def application(logger: logging.Logger) -> tuple[set[str], int]:
        for number in range(200):
            logger.info("record %d", number)
            await asyncio.sleep(0)
        pool = {thread.name for thread in threading.enumerate() if thread.name.startswith("asyncio")}
        return pool, len(asyncio.all_tasks())

    with handling(kafka_broker.bootstrap, topic, tmp_path) as (handler, logger):
        assert asyncio.run(application(logger)) == (set(), 1)
        assert handler.flush(60)
    assert sum(stored_uids(kafka_broker, topic).values()) == 200
