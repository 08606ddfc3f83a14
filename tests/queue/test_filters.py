"""Filters on handlers behind the queue handler: in the log call, for their own destination only."""

from __future__ import annotations

import contextvars
import logging
import logging.config
import threading
from pathlib import Path

from otel_stdlib import OTelQueueHandler
from otel_stdlib._native import core
from otel_stdlib.handlers import JSONLFileHandler
from tests.queue.parts import Setup
from tests.queue.test_handler import Keep, lines

_request = contextvars.ContextVar("request", default="")


class Redact(logging.Filter):
    """Hides a password, and drops health checks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is no health check."""
        record.msg, record.args = record.getMessage().replace("hunter2", "***"), ()
        return "healthz" not in record.msg


def test_filters_of_a_configuration(tmp_path: Path) -> None:
    """``filters:`` of a handler behind the queue drop and redact from the first record on."""
    file = tmp_path / "a.jsonl"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"redact": {"()": Redact}},
            "handlers": {
                "file": {
                    "class": "otel_stdlib.handlers.JSONLFileHandler",
                    "filename": str(file),
                    "filters": ["redact"],
                },
                "queue": {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["file"]},
            },
            "loggers": {
                "tests.queue.configured": {"level": "INFO", "handlers": ["queue"], "propagate": False}
            },
        }
    )
    logger = logging.getLogger("tests.queue.configured")
    logger.info("GET /healthz")
    logger.info("password %s", "hunter2")
    [queue] = logger.handlers
    assert isinstance(queue, OTelQueueHandler)
    try:
        assert queue.stop(30)
    finally:
        logger.removeHandler(queue)
    assert ["password ***"] == [line["body"] for line in lines(file)]


def test_each_destination_has_its_own(setup: Setup) -> None:
    """What one handler's filter drops or changes, the others get as it was; the uid is the same."""
    setup.a.addFilter(Redact())
    setup.keep.addFilter(lambda record: record.levelno >= logging.WARNING)
    setup.logger.info("GET /healthz")
    setup.logger.warning("password %s", "hunter2", extra={"n": 1})
    assert ["password ***"] == setup.bodies("a")
    assert ["GET /healthz", "password hunter2"] == setup.bodies("b")
    assert ["password hunter2"] == setup.kept()
    assert [(1, 0), (0, 0), (1, 0)] == [setup.counts(name) for name in ("a", "b", "keep")]
    folder = Path(setup.a.options.target).parent
    [redacted], [_, whole] = lines(folder / "a.jsonl"), lines(folder / "b.jsonl")
    assert redacted["attributes"] == whole["attributes"]
    assert vars(setup.keep.records[0])["log.record.uid"] == whole["attributes"]["log.record.uid"]


def test_added_and_removed_later(setup: Setup) -> None:
    """``addFilter`` and ``removeFilter`` count for the next record."""
    redact = Redact()
    setup.logger.info("1 hunter2")
    setup.a.addFilter(redact)
    setup.logger.info("2 hunter2")
    setup.a.removeFilter(redact)
    setup.logger.info("3 hunter2")
    setup.a.filters = [redact]
    setup.logger.info("4 hunter2")
    setup.a.filters.clear()
    setup.logger.info("5 hunter2")
    assert ["1 hunter2", "2 ***", "3 hunter2", "4 ***", "5 hunter2"] == setup.bodies("a")
    assert 5 == sum("hunter2" in body for body in setup.bodies("b"))


def test_without_filters_a_log_call_encodes_and_appends_only(setup: Setup) -> None:
    """No handler has a filter: the encoder itself is called, before and after one had."""
    setup.queue.setFormatter(None)
    plain = OTelQueueHandler(handlers=[setup.a, setup.b])
    try:
        plain.start()
        encode = plain.pipeline._encode
        if core is None:
            assert encode == plain.record_formatter().encoder.encode
        else:
            assert type(encode.__self__) is core.Encoder  # type: ignore[attr-defined]
        redact = Redact()
        setup.b.addFilter(redact)
        assert encode != plain.pipeline._encode
        setup.b.removeFilter(redact)
        assert encode == plain.pipeline._encode
    finally:
        assert plain.stop(30)


def test_in_the_callers_context(setup: Setup) -> None:
    """A filter sees the caller's context variables and runs on its thread."""
    seen: list[tuple[str, int]] = []

    def note(record: logging.LogRecord) -> bool:
        seen.append((_request.get(), threading.get_ident()))
        record.request = _request.get()
        return True

    for handler in (setup.a, setup.keep):
        handler.addFilter(note)
    context = contextvars.copy_context()
    context.run(_request.set, "r-1")
    context.run(setup.logger.info, "in it")
    assert [("r-1", threading.get_ident())] * 2 == seen
    setup.bodies("a")
    folder = Path(setup.a.options.target).parent
    assert ["r-1"] == [line["attributes"].get("request") for line in lines(folder / "a.jsonl")]
    assert [None] == [line["attributes"].get("request") for line in lines(folder / "b.jsonl")]
    assert ["r-1"] == [vars(record)["request"] for record in setup.keep.records]


def test_values_changed_in_place(setup: Setup) -> None:
    """A filter that reaches into the record's own dicts and lists changes them for nobody else."""

    def hide(record: logging.LogRecord) -> bool:
        record.user["password"] = "***"  # type: ignore[attr-defined]
        record.parts[0].clear()  # type: ignore[attr-defined]
        assert isinstance(record.msg, dict)
        record.msg["token"] = "***"
        return True

    setup.a.addFilter(hide)
    message, extra = {"token": "t"}, {"user": {"password": "p"}, "parts": ([1], 2)}
    setup.logger.info(message, extra=extra)
    assert [{"token": "***"}] == setup.bodies("a")
    assert [{"token": "t"}] == setup.bodies("b")
    folder = Path(setup.a.options.target).parent
    [a], [b] = lines(folder / "a.jsonl"), lines(folder / "b.jsonl")
    assert ({"password": "***"}, [[], 2]) == (a["attributes"]["user"], a["attributes"]["parts"])
    assert ({"password": "p"}, [[1], 2]) == (b["attributes"]["user"], b["attributes"]["parts"])
    assert ({"token": "t"}, {"user": {"password": "p"}, "parts": ([1], 2)}) == (message, extra)


def test_another_record_in_its_place(setup: Setup) -> None:
    """A filter may answer with another record, on each Python."""

    def replace(record: logging.LogRecord) -> logging.LogRecord:
        return logging.makeLogRecord({**vars(record), "msg": "another", "args": None, "levelno": 40})

    setup.a.addFilter(replace)  # type: ignore[arg-type,unused-ignore]
    setup.logger.addFilter(lambda _: True)
    setup.logger.info("this one")
    assert (["another"], ["this one"]) == (setup.bodies("a"), setup.bodies("b"))


def test_the_level_comes_first_and_counts_once(setup: Setup) -> None:
    """A filter is not asked about what the level keeps out; one that lowers the level keeps nothing out."""
    asked: list[str] = []

    def lower(record: logging.LogRecord) -> bool:
        asked.append(record.getMessage())
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return True

    setup.keep.setLevel("WARNING")
    setup.keep.addFilter(lower)
    setup.logger.info("below")
    setup.logger.error("above")
    assert (["above"], ["above"]) == (setup.kept(), asked)
    assert [logging.DEBUG] == [record.levelno for record in setup.keep.records]


def test_a_filter_that_logs(setup: Setup) -> None:
    """What a filter logs itself is a record like any other."""

    def note(record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith("seen"):
            setup.logger.info("seen %s", record.getMessage())
        return True

    setup.a.addFilter(note)
    setup.logger.info("x")
    assert ["seen x", "x"] == setup.bodies("a")


def test_a_method_of_the_handler(tmp_path: Path) -> None:
    """A class that has a ``filter`` of its own is asked too."""

    class Picky(Keep):
        def filter(self, record: logging.LogRecord) -> bool:  # type: ignore[override,unused-ignore]
            return "yes" in record.getMessage() and threading.current_thread() is threading.main_thread()

    keep = Picky()
    queue = OTelQueueHandler(handlers=[keep])
    for text in ("no", "yes"):
        queue.handle(logging.makeLogRecord({"msg": text, "levelno": 20}))
    assert queue.stop(30)
    assert ["yes"] == [record.getMessage() for record in keep.records]


def test_nothing_for_anyone_takes_no_room(setup: Setup) -> None:
    """A record that every filter drops is not stored."""
    for handler in (setup.a, setup.b, setup.keep):
        handler.addFilter(lambda record: "x" not in record.getMessage())
    setup.logger.info("first")
    generation = setup.queue.pipeline._generation
    assert generation is not None
    before = generation.spool.published
    setup.logger.info("x")
    assert before == generation.spool.published
    assert ["first"] == setup.bodies("a")


def test_filters_run_once_through_a_reload(setup: Setup) -> None:
    """A filter that takes as long as a reload does not see its record twice."""
    seen: list[str] = []

    def once(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        if len(seen) == 1:
            setup.queue.close()  # as a reload does, in the middle of this very log call
        return True

    setup.a.addFilter(once)
    setup.logger.info("x")
    setup.logger.info("y")
    assert ["x", "y"] == seen
    assert (["x", "y"], ["x", "y"]) == (setup.bodies("a"), setup.bodies("b"))


def test_without_a_queue_handler_they_run_once(tmp_path: Path) -> None:
    """A handler on a logger filters before its own spool, and not again in it."""
    seen: list[str] = []
    file = JSONLFileHandler(tmp_path / "a.jsonl")
    file.addFilter(lambda record: seen.append(record.getMessage()) or True)
    file.handle(logging.makeLogRecord({"msg": "x", "levelno": 20}))
    assert file.stop(30)
    assert ["x"] == seen == [line["body"] for line in lines(tmp_path / "a.jsonl")]
