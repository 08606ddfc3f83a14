"""What every handler of this package shares."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import (
    ElasticsearchHandler,
    JSONLFileHandler,
    KafkaHandler,
    OTLPHandler,
    PostgresHandler,
)
from otel_stdlib.handlers.custom import BackendHandler
from tests.support import needs_kafka


class Backend:
    """The least that a custom back end has."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Nothing to do."""

    def write_log(self, log_data: dict[str, Any]) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def _record(message: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO, "levelname": "INFO"})


@pytest.mark.parametrize("is_queue", [False, True], ids=["alone", "queue"])
def test_flush_after_close(tmp_path: Path, is_queue: bool) -> None:
    """``flush(timeout)`` waits for what was logged before the handler was closed, too."""
    file = JSONLFileHandler(tmp_path / "a.jsonl", spool={"directory": tmp_path / "spool"})
    handler = OTelQueueHandler(handlers=[file], spool={"directory": tmp_path / "spool"}) if is_queue else file
    for number in range(1000):
        handler.handle(_record(f"r-{number}"))
    handler.close()
    assert handler.flush(60)
    assert 1000 == len((tmp_path / "a.jsonl").read_bytes().splitlines())


def test_the_file_comes_first() -> None:
    """As ``logging.FileHandler`` takes it, and ``fileConfig`` with ``args`` gives it."""
    assert "/logs/app.jsonl" == JSONLFileHandler("/logs/app.jsonl").options.filename


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: JSONLFileHandler(filename=str(folder / "app.jsonl")),
        lambda folder: ElasticsearchHandler(hosts=["http://127.0.0.1:9"]),
        lambda folder: PostgresHandler(host="127.0.0.1", database="logs"),
        pytest.param(
            lambda folder: KafkaHandler(bootstrap_servers="127.0.0.1:9", topic="logs"), marks=needs_kafka
        ),
        lambda folder: OTLPHandler(endpoint="http://127.0.0.1:9"),
        lambda folder: BackendHandler(Backend, {}),
        lambda folder: OTelQueueHandler(handlers=[JSONLFileHandler(filename=str(folder / "app.jsonl"))]),
    ],
    ids=["jsonl", "elasticsearch", "postgres", "kafka", "otlp", "backend", "queue"],
)
def test_shut_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], logging.Handler]
) -> None:
    """``logging.shutdown`` in another thread finds a handler as soon as the standard library has listed it."""
    shut: list[logging.Handler] = []
    listed = logging._addHandlerRef  # type: ignore[attr-defined]

    def shut_at_once(handler: logging.Handler) -> None:
        listed(handler)
        lock = handler.lock
        assert lock is not None
        handler.acquire()
        handler.flush()
        handler.close()
        handler.release()
        assert handler.lock is lock
        repr(handler)
        shut.append(handler)

    monkeypatch.setattr(logging, "_addHandlerRef", shut_at_once)
    handler = make(tmp_path)
    assert shut[-1] is handler
    assert handler.lock is not None


def test_basic_config_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """``basicConfig`` gives every handler without a formatter its own default one: nobody asked for it."""
    handler = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "a.jsonl")])
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    assert "" == capfd.readouterr().err
    handler.setFormatter(logging.Formatter("%(message)s"))
    assert "shapes nothing" in capfd.readouterr().err
