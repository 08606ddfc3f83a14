"""``OTelQueueHandler``: the standard library's rules, names from dictConfig, the spool behind it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_stdlib
from otel_stdlib import OTelQueueHandler, OTelQueueListener
from otel_stdlib.facts.errors import ConfigError, StateError
from otel_stdlib.handlers import JSONLFileHandler
from tests.support import eventually, own_threads


class Keep(logging.Handler):
    """Keeps the records that it is given."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own whose handlers are stopped at the end."""
    logger = logging.getLogger("tests.queue")
    logger.setLevel(1)
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        if isinstance(handler, OTelQueueHandler):
            assert handler.stop(30)


def lines(path: Path) -> list[dict[str, Any]]:
    """The records in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestStdlibRules:
    def test_is_a_queue_handler(self) -> None:
        """Code that looks for the standard library's class finds ours."""
        assert issubclass(OTelQueueHandler, logging.handlers.QueueHandler)
        assert issubclass(OTelQueueListener, logging.handlers.QueueListener)

    def test_with_a_given_queue_it_puts_prepared_records(self, logger: logging.Logger) -> None:
        """With a queue and no handlers it behaves as the standard library's."""
        waiting: queue.Queue[logging.LogRecord] = queue.Queue()
        logger.addHandler(OTelQueueHandler(waiting))
        logger.warning("%s %d", "a", 1)
        record = waiting.get_nowait()
        assert (record.msg, record.args, record.exc_info) == ("a 1", None, None)

    def test_prepare_and_enqueue_may_be_overridden(self, logger: logging.Logger) -> None:
        """A subclass that changes ``prepare`` or ``enqueue`` is obeyed."""
        seen: list[str] = []

        class Mine(OTelQueueHandler):
            def prepare(self, record: logging.LogRecord) -> Any:
                seen.append("prepare")
                return super().prepare(record)

            def enqueue(self, record: logging.LogRecord) -> None:
                seen.append("enqueue")
                super().enqueue(record)

        keep = Keep()
        handler = Mine(handlers=[keep])
        logger.addHandler(handler)
        logger.info("x")
        assert handler.flush(60)
        assert seen == ["prepare", "enqueue"]
        assert [r.getMessage() for r in keep.records] == ["x"]

    def test_a_broken_queue_is_reported_through_handle_error(self, logger: logging.Logger) -> None:
        """An exception in enqueue goes to handleError, not to the caller."""
        handler = OTelQueueHandler(queue.Queue(1))
        errors: list[logging.LogRecord] = []
        handler.handleError = errors.append  # type: ignore[method-assign]
        logger.addHandler(handler)
        logger.info("fits")
        logger.info("does not")
        assert len(errors) == 1

    def test_filters_and_level(self, logger: logging.Logger) -> None:
        """The handler's own level and filters come before the spool; a filter may replace the record."""
        keep = Keep()
        handler = OTelQueueHandler(handlers=[keep])
        handler.setLevel(logging.INFO)
        handler.addFilter(lambda record: "no" not in record.getMessage())
        logger.addHandler(handler)
        logger.debug("below")
        logger.info("no")
        logger.info("yes")
        assert handler.flush(60)
        assert [r.getMessage() for r in keep.records] == ["yes"]

    @pytest.mark.parametrize("respect", [True, False])
    def test_respect_handler_level(self, logger: logging.Logger, respect: bool) -> None:
        """The level of a handler behind it counts when asked for."""
        keep = Keep(logging.ERROR)
        handler = OTelQueueHandler(handlers=[keep], respect_handler_level=respect)
        logger.addHandler(handler)
        logger.info("low")
        logger.error("high")
        assert handler.flush(60)
        assert [r.getMessage() for r in keep.records] == (["high"] if respect else ["low", "high"])

    def test_get_is_an_error(self) -> None:
        """Nobody takes records out of the spool by hand."""
        with pytest.raises(StateError):
            OTelQueueHandler(handlers=[Keep()]).queue.get()


class TestListener:
    def test_the_classical_wiring_works(self, logger: logging.Logger) -> None:
        """A listener on the handler's queue with handlers of its own, as the cookbook writes it."""
        keep = Keep()
        handler = OTelQueueHandler()
        listener = OTelQueueListener(handler.queue, keep)
        logger.addHandler(handler)
        listener.start()
        logger.info("x")
        listener.stop()
        listener.stop()
        assert [r.getMessage() for r in keep.records] == ["x"]
        eventually(lambda: own_threads() == [])

    def test_on_a_plain_queue_it_survives_a_broken_handler(self) -> None:
        """A handler that raises neither ends the thread nor hides the record from the others."""

        class Broken(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                raise RuntimeError("broken")

        waiting: queue.Queue[Any] = queue.Queue()
        keep = Keep()
        listener = OTelQueueListener(waiting, Broken(), keep)
        listener.start()
        listener.start()
        for n in range(3):
            waiting.put(logging.makeLogRecord({"msg": str(n)}))
        listener.stop()
        listener.stop()
        assert [r.msg for r in keep.records] == ["0", "1", "2"]
        listener.start()
        waiting.put(logging.makeLogRecord({"msg": "again"}))
        listener.stop()
        assert keep.records[-1].msg == "again"

    def test_stop_on_a_full_queue(self) -> None:
        """The stop signal does not need room in the queue."""
        waiting: queue.Queue[Any] = queue.Queue(1)
        keep = Keep()
        listener = OTelQueueListener(waiting, keep)
        waiting.put(logging.makeLogRecord({"msg": "only"}))
        listener.start()
        listener.stop(10)
        assert [r.msg for r in keep.records] == ["only"]


class TestBehindIt:
    def test_plain_handlers_get_a_whole_record(self, logger: logging.Logger) -> None:
        """A StreamHandler behind the queue formats name, level, place, extras, exception and trace."""
        stream = io.StringIO()
        plain = logging.StreamHandler(stream)
        plain.setFormatter(logging.Formatter("%(name)s %(levelname)s %(filename)s %(user)s %(message)s"))
        handler = OTelQueueHandler(handlers=[plain])
        logger.addHandler(handler)
        try:
            raise ValueError("because")
        except ValueError:
            logger.exception("it failed: %s", 5, extra={"user": "ann"})
        assert handler.flush(60)
        text = stream.getvalue()
        assert text.startswith("tests.queue ERROR test_handler.py ann it failed: 5\nTraceback")
        assert "ValueError: because" in text

    def test_two_files_each_get_everything(self, logger: logging.Logger, tmp_path: Path) -> None:
        """One spool, two destinations, the same uids in both."""
        files = [JSONLFileHandler(filename=tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
        handler = OTelQueueHandler(handlers=files)
        logger.addHandler(handler)
        for n in range(500):
            logger.info("%d", n)
        assert handler.flush(60)
        a, b = lines(tmp_path / "a.jsonl"), lines(tmp_path / "b.jsonl")
        assert [r["body"] for r in a] == [str(n) for n in range(500)]
        assert [r["attributes"]["log.record.uid"] for r in a] == [
            r["attributes"]["log.record.uid"] for r in b
        ]


class TestDictConfig:
    def config(self, tmp_path: Path, **queue_options: Any) -> dict[str, Any]:
        """A configuration with names that sort after the queue handler's."""
        return {
            "version": 1,
            "handlers": {
                "zfile": {
                    "class": "otel_stdlib.handlers.JSONLFileHandler",
                    "filename": str(tmp_path / "a.jsonl"),
                },
                "queue": {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["zfile"], **queue_options},
            },
            "loggers": {"tests.queue": {"level": "INFO", "handlers": ["queue"], "propagate": False}},
        }

    def test_names_are_resolved(self, logger: logging.Logger, tmp_path: Path) -> None:
        """Handlers are found by name although they are configured after the queue handler."""
        logging.config.dictConfig(self.config(tmp_path))
        logger.info("hello")
        [handler] = logger.handlers
        assert isinstance(handler, OTelQueueHandler)
        assert handler.flush(60)
        assert [r["body"] for r in lines(tmp_path / "a.jsonl")] == ["hello"]
        assert own_threads() != []

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"handlers": ["zfil"]}, ["'zfil'", "did you mean 'zfile'"]),
            ({"handlers": "zfile"}, ["'handlers'", "list"]),
            ({"spool": {"durabilty": "os"}}, ["'durabilty'", "'durability'"]),
            ({"spool": {"max_bytes": "big"}}, ["'max_bytes'", "'big'"]),
            ({"shutdown_timeout": -1}, ["'shutdown_timeout'"]),
            ({"respect_handler_level": "yes"}, ["'respect_handler_level'"]),
        ],
    )
    def test_wrong_options_are_named(self, tmp_path: Path, options: dict[str, Any], words: list[str]) -> None:
        """The error quotes the option, and nothing is started."""
        with pytest.raises(ValueError, match="queue") as caught:
            logging.config.dictConfig(self.config(tmp_path, **options))
        told = f"{caught.value} {caught.value.__cause__}"
        for word in words:
            assert word in told
        assert isinstance(caught.value.__cause__, ConfigError)
        assert own_threads() == []

    def test_class_spelling(
        self, logger: logging.Logger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """``class:`` works too; 3.12 drops options there, which is said and shown."""
        config = self.config(tmp_path)
        config["handlers"]["zqueue"] = {
            "class": "otel_stdlib.OTelQueueHandler",
            "handlers": ["zfile"],
            "shutdown_timeout": 3.0,
        }
        del config["handlers"]["queue"]
        config["loggers"]["tests.queue"]["handlers"] = ["zqueue"]
        logging.config.dictConfig(config)
        logger.info("hello")
        [handler] = logger.handlers
        assert isinstance(handler, OTelQueueHandler)
        assert handler.flush(60)
        assert [r["body"] for r in lines(tmp_path / "a.jsonl")] == ["hello"]
        if sys.version_info[:2] == (3, 12):
            assert handler.health()["lost_options"] == ["shutdown_timeout"]
            assert "shutdown_timeout" in capfd.readouterr().err
        else:
            assert handler.pipeline.shutdown_timeout == 3.0

    def test_construction_is_inert(self, tmp_path: Path) -> None:
        """Neither importing nor configuring starts a thread or makes a file."""
        logging.config.dictConfig(self.config(tmp_path, spool={"directory": str(tmp_path / "spools")}))
        assert own_threads() == []
        assert list(tmp_path.iterdir()) == []
        assert otel_stdlib.__name__ == "otel_stdlib"
