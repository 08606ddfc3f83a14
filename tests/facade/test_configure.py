"""``configure_logger``: the life of the one logger, and what it does with wrong configurations."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler, alog_info, configure_logger, log_debug, log_info
from tests.facade.parts import FILE, bodies
from tests.support import eventually, own_threads

Records = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


class TestLife:
    def test_without_a_file(self, records: Records) -> None:
        """Records of every logger go to ``./logs``; closing gives everything back."""
        root = logging.getLogger()
        before = (root.level, list(root.handlers))
        logger = configure_logger(service_name="my shop/x")
        log_info("a", n=1)
        logging.getLogger("other").info("b")
        log_debug("not wanted")
        assert logger.close()
        assert ["a", "b"] == bodies(records("logs/my_shop_x.jsonl"))
        assert "my shop/x" == records("logs/my_shop_x.jsonl")[0]["resource"]["service.name"]
        assert before == (root.level, list(root.handlers))
        eventually(lambda: [] == own_threads())

    def test_it_is_one_logger(self) -> None:
        """Called again, it returns the same one, and changes nothing when nothing changes."""
        logger = configure_logger(service_name="shop")
        handlers = list(logging.getLogger().handlers)
        assert logger is configure_logger() is configure_logger(service_name="shop")
        assert handlers == logging.getLogger().handlers

    def test_it_can_be_closed_and_started_again(self, records: Records) -> None:
        """As often as wanted; closing twice is nothing."""
        for body in ("a", "b"):
            logger = configure_logger()
            log_info(body)
            logger.close()
            assert logger.close()
        assert ["a", "b"] == bodies(records())

    def test_another_configuration_takes_over(self, records: Records, write_config: Write) -> None:
        """What was logged before goes where it belongs."""
        logger = configure_logger()
        log_info("a")
        configure_logger(write_config(FILE))
        log_info("b")
        logger.close()
        assert (["a"], ["b"]) == (bodies(records()), bodies(records("shop.jsonl")))

    def test_overrides_win_over_the_file(self, write_config: Write) -> None:
        """One by one."""
        logger = configure_logger(write_config(FILE), log_level="ERROR", service_version="2")
        settings = logger.settings
        assert ("ERROR", "2", "shop") == (settings.log_level, settings.service_version, settings.service_name)

    def test_managers_close_it(self, records: Records) -> None:
        """``with`` and ``async with``."""
        with configure_logger() as logger:
            logger.info("a")
        assert not logger.is_running

        async def main() -> None:
            async with configure_logger() as logger:
                await logger.ainfo("b")
            assert not logger.is_running

        asyncio.run(main())
        assert ["a", "b"] == bodies(records())

    def test_flush(self, records: Records) -> None:
        """It says whether everything has arrived, on a thread for coroutines."""
        logger = configure_logger()
        assert logger.flush()
        log_info("a")
        assert logger.flush(60)
        assert ["a"] == bodies(records())

        async def main() -> None:
            await alog_info("b")
            assert await logger.aflush(60)
            assert ["a", "b"] == bodies(records())
            assert await logger.aclose()

        asyncio.run(main())
        assert logger.flush(1)

    def test_logging_after_the_end(self, caplog: pytest.LogCaptureFixture) -> None:
        """A record then goes where ``logging`` sends it; nothing is raised."""
        logger = configure_logger()
        logger.close()
        logger.warning("late", name="x")
        assert ["late"] == caplog.messages

    def test_levels(self) -> None:
        """Of the root and of single loggers; what somebody else changed stays changed."""
        quiet, other = logging.getLogger("quiet.one"), logging.getLogger("other.one")
        logger = configure_logger(log_level="DEBUG", levels={"quiet.one": "ERROR", "other.one": "INFO"})
        assert (logging.DEBUG, logging.ERROR, logging.INFO) == (
            logging.getLogger().level,
            quiet.level,
            logging.getLogger("asyncio").level,
        )
        other.setLevel(logging.CRITICAL)
        logger.close()
        assert (logging.NOTSET, logging.CRITICAL) == (quiet.level, other.level)
        assert logging.NOTSET == logging.getLogger("asyncio").level

    def test_from_many_threads_at_once(self, records: Records) -> None:
        """There is one pipeline, and every record arrives once."""

        def work(number: int) -> None:
            configure_logger()
            for i in range(50):
                log_info("x", n=number * 100 + i)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1 == sum(isinstance(h, OTelQueueHandler) for h in logging.getLogger().handlers)
        configure_logger().close()
        assert sorted(n * 100 + i for n in range(8) for i in range(50)) == sorted(
            r["attributes"]["n"] for r in records()
        )

    def test_resource_and_attributes(self, records: Records) -> None:
        """Of every record."""
        with configure_logger(service_version=2, resource={"deployment": "blue"}, attributes={"team": "x"}):
            log_info("a")
        (record,) = records()
        assert ("2", "blue", "x") == (
            record["resource"]["service.version"],
            record["resource"]["deployment"],
            record["attributes"]["team"],
        )


class TestHealth:
    def test_a_report_of_plain_values(self) -> None:
        """Per back end and as a whole; it can be sent as JSON."""
        logger = configure_logger(enable_console=True)
        log_info("a")
        assert logger.flush(60)
        health = json.loads(json.dumps(logger.get_health_status()))
        assert ("healthy", False, []) == (
            health["status"],
            health["circuit_breaker_open"],
            health["problems"],
        )
        assert {"filesystem", "console"} == set(health["backends"])
        backend = health["backends"]["filesystem"]
        assert ("filesystem", "running", "closed", 1, 0, {}, None) == (
            backend["type"],
            backend["state"],
            backend["circuit_breaker"],
            backend["sent"],
            backend["queue_depth_bytes"],
            backend["dropped"],
            backend["last_error"],
        )
        assert {"queue_age_seconds", "retried", "failing"} <= set(backend)

    def test_closed(self) -> None:
        """There is nothing to ask."""
        logger = configure_logger()
        logger.close()
        assert "closed" == logger.get_health_status()["status"]

    def test_somebody_else_s_configuration_took_the_handler_away(self) -> None:
        """It says so."""
        logger = configure_logger()
        logging.basicConfig(force=True)
        health = logger.get_health_status()
        assert ("degraded", False) == (health["status"], health["queue"]["attached"])
