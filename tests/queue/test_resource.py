"""The resource that a handler's options make, from ``dictConfig`` to the line."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelFormatter, OTelQueueHandler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import JSONLFileHandler

LOGGER = "tests.resource"


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that configures a queue handler in front of a file and a stream, logs, and returns the lines."""
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)

    def configure(formatter: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
        out = io.StringIO()
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {
                    "otel": {"()": "otel_stdlib.OTelFormatter", **(formatter or {})},
                    "line": {"()": "otel_stdlib.OTelFormatter"},
                },
                "handlers": {
                    "file": {
                        "class": "otel_stdlib.handlers.JSONLFileHandler",
                        "filename": str(tmp_path / "app.jsonl"),
                    },
                    "stream": {"class": "logging.StreamHandler", "stream": out, "formatter": "line"},
                    "queue": {
                        "()": "otel_stdlib.OTelQueueHandler",
                        "formatter": "otel",
                        "handlers": ["file", "stream"],
                        **options,
                    },
                },
                "loggers": {LOGGER: {"level": "INFO", "handlers": ["queue"], "propagate": False}},
            }
        )
        logging.getLogger(LOGGER).info("x")
        queue = next(h for h in logging.getLogger(LOGGER).handlers if isinstance(h, OTelQueueHandler))
        assert queue.flush(60)
        text = [(tmp_path / "app.jsonl").read_text(), out.getvalue()]
        return [json.loads(lines.splitlines()[-1])["resource"] for lines in text]

    yield configure
    for handler in logging.getLogger(LOGGER).handlers[:]:
        if isinstance(handler, OTelQueueHandler):
            logging.getLogger(LOGGER).removeHandler(handler)
            assert handler.stop(30)


def test_every_destination_gets_the_queue_handlers_resource(configured: Any) -> None:
    """A file and a stream with an ``OTelFormatter`` of its own alike."""
    in_file, in_stream = configured(
        service_name="shop",
        service_version="2",
        resource={"include": ["host.name"], "attributes": {"team": "x"}},
    )
    assert in_file == in_stream
    assert in_file.keys() == {"service.name", "service.version", "host.name", "team"}
    assert (in_file["service.name"], in_file["service.version"], in_file["team"]) == ("shop", "2", "x")


def test_precedence(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler, its formatter, the formatter's attributes, then the environment's two variables."""

    def name(formatter: dict[str, Any] | None = None, **options: Any) -> Any:
        return configured(formatter, **options)[0]["service.name"]

    assert name().startswith("unknown_service:")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=list,service.version=1")
    assert name() == "list"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "variable")
    assert name() == "variable"
    attributes = {"resource": {"service.name": "attribute"}}
    assert name(attributes) == "attribute"
    assert name({**attributes, "service_name": "formatter"}) == "formatter"
    assert name({"service_name": "formatter"}, resource={"attributes": {"team": "x"}}) == "formatter"
    assert name({"service_name": "formatter"}, service_name="handler") == "handler"
    assert name({"service_name": "formatter"}, service_name="") == "formatter"  # empty is not given
    assert configured(service_name="handler")[0]["service.version"] == "1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"service_name": 7}, "'service_name' must be a string, not 7"),
        ({"resource": {"exlude": ["process.*"]}}, "did you mean 'exclude'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_an_error(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Of the queue handler, and of a handler without one."""
    for make in (OTelQueueHandler, lambda **more: JSONLFileHandler(tmp_path / "a.jsonl", **more)):
        with pytest.raises(ConfigError, match=message):
            make(**options)


def test_a_handler_without_a_queue_takes_them(tmp_path: Path) -> None:
    """And leaves a formatter that it shares with others as it is."""
    shared = OTelFormatter(service_name="shared", resource={"attributes": {"team": "x"}})
    handler = JSONLFileHandler(tmp_path / "a.jsonl", service_name="own", resource={"include": []})
    handler.setFormatter(shared)
    handler.handle(logging.makeLogRecord({"msg": "x", "levelno": 20}))
    assert handler.stop(60)
    line = json.loads((tmp_path / "a.jsonl").read_text())
    assert line["resource"] == {"service.name": "own", "team": "x"}
    assert shared.resource().attributes["service.name"] == "shared"
    assert "process.pid" in shared.resource().attributes


def test_behind_a_queue_handler_they_are_not_used_and_that_is_reported(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The record has one resource, whichever destinations get it."""
    behind = JSONLFileHandler(tmp_path / "a.jsonl", service_name="own")
    behind.name = "unused-name"
    queue = OTelQueueHandler(handlers=[behind], service_name="queue")
    queue.handle(logging.makeLogRecord({"msg": "x", "levelno": 20}))
    assert queue.stop(60)
    assert json.loads((tmp_path / "a.jsonl").read_text())["resource"]["service.name"] == "queue"
    assert "'unused-name' is behind OTelQueueHandler" in capfd.readouterr().err
