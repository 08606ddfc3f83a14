"""What filters drop is counted: by rule and severity, wherever they are."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

import otel_stdlib
from otel_stdlib import OTelQueueHandler
from otel_stdlib.facts import suppressed
from otel_stdlib.facts.suppressed import Suppressed
from otel_stdlib.filters import SamplingFilter
from otel_stdlib.handlers import JSONLFileHandler
from tests.filters.parts import Kept, logged, record, total


@pytest.fixture(autouse=True)
def no_former_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of this test alone."""
    monkeypatch.setattr(suppressed, "elsewhere", fresh := Suppressed())
    monkeypatch.setattr("otel_stdlib.handlers.attachment.elsewhere", fresh)


def test_on_the_queue_handler(tmp_path: Path) -> None:
    """Accepted is delivered and suppressed; an ERROR that is suppressed is counted as one."""
    with logged(tmp_path, SamplingFilter(0, up_to="ERROR", rule="none")) as made:
        for level in (10, 20, 20, 40, 50):
            made.logger.log(level, "x")
        assert [line["severity_text"] for line in made.lines()] == ["CRITICAL"]
        assert made.suppressed() == {"none": {"DEBUG": 1, "INFO": 2, "ERROR": 1}}
        report = made.queue.health()
        assert report["dropped"] == {}
        (found,) = [each for each in otel_stdlib.health() if each["name"] == "queue"]
        assert found["suppressed"] == report["suppressed"]


def test_any_filter_of_the_application_is_counted(tmp_path: Path) -> None:
    """A record does not disappear unseen because the filter is somebody's own."""

    def no_health(entry: logging.LogRecord) -> bool:
        return "health" not in entry.getMessage()

    with logged(tmp_path, no_health, logging.Filter("shop")) as made:
        made.logger.info("GET /health")
        made.logger.info("GET /cart")
        logging.getLogger("other").handle(record())
        made.queue.handle(record(name="other"))
        assert [line["body"] for line in made.lines()] == ["GET /cart"]
        assert made.suppressed() == {"no_health": {"INFO": 1}, "Filter": {"INFO": 1}}


def test_behind_the_queue_handler_it_is_the_destinations_count(tmp_path: Path) -> None:
    """One destination's filter leaves the others alone, and only that one counts."""
    with logged(tmp_path) as made:
        other = JSONLFileHandler(tmp_path / "other.jsonl")
        other.name = "other"
        made.queue.set_handlers([made.file, other], True)
        other.addFilter(SamplingFilter(0))
        made.logger.info("x")
        made.logger.warning("y")
        assert [line["body"] for line in made.lines()] == ["x", "y"]
        report = made.queue.health()
        assert report["suppressed"] == {}
        found = report["destinations"]["other"]
        assert (found["sent"], found["filtered"]) == (1, 1)
        assert found["suppressed"] == {"sampling": {"INFO": 1}}
        assert report["destinations"]["file"]["suppressed"] == {}


def test_on_a_handler_without_a_queue(tmp_path: Path) -> None:
    """Each handler of this package counts what it loses."""
    handler = JSONLFileHandler(tmp_path / "a.jsonl")
    handler.addFilter(SamplingFilter(0))
    assert not handler.handle(record())
    assert handler.health()["suppressed"] == {"sampling": {"INFO": 1}}
    assert handler.stop(30)


def test_on_loggers_and_other_handlers() -> None:
    """One more report of ``otel_stdlib.health()`` has what no handler of this package counts."""
    kept, logger = Kept(), logging.getLogger("tests.elsewhere")
    logger.setLevel(1)
    logger.propagate = False
    logger.addHandler(kept)
    kept.addFilter(SamplingFilter(0, rule="mine"))
    logger.info("x")
    logger.warning("y")
    (report,) = [each for each in otel_stdlib.health() if each["name"] == "filters"]
    assert report["suppressed"] == {"mine": {"INFO": 1}}
    assert (report["dropped"], report["attached"]) == ({}, True)
    assert [each.getMessage() for each in kept.records] == ["y"]


def test_threads_lose_no_count(tmp_path: Path) -> None:
    """Eight threads, one filter."""
    handler = OTelQueueHandler(handlers=[JSONLFileHandler(tmp_path / "a.jsonl")])
    handler.addFilter(SamplingFilter(0))

    def log() -> None:
        for _ in range(2_000):
            handler.handle(record())

    threads = [threading.Thread(target=log) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert handler.health()["suppressed"] == {"sampling": {"INFO": 16_000}}
    assert handler.stop(30)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_counts_its_own(tmp_path: Path) -> None:
    """Counts are those of one process: adding up all processes counts nothing twice."""
    with logged(tmp_path, SamplingFilter(0)) as made:
        made.logger.info("x")
        made.logger.warning("started")
        pid = os.fork()
        if not pid:
            before = total(made.suppressed())
            made.logger.info("x")
            made.logger.info("x")
            os._exit(10 * before + total(made.suppressed()))
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 2
        assert total(made.suppressed()) == 1


def test_odd_levels_are_counted() -> None:
    """A level that is no number, or one of the application's own, is counted all the same."""
    counts = Suppressed()
    count = counts.counter("rule")
    for level in (20, 25, None, "x", []):
        count(record(levelno=level))
    assert total(counts.snapshot()) == 5
    assert counts.snapshot() == {"rule": {"INFO": 5}}


def test_changing_filters_while_logging(tmp_path: Path) -> None:
    """Filters that are added, removed, or replaced by another list take effect with the next record."""
    with logged(tmp_path) as made:
        each = SamplingFilter(0)
        made.logger.info("1")
        made.queue.addFilter(each)
        made.logger.info("2")
        made.queue.removeFilter(each)
        made.logger.info("3")
        made.queue.filters = [each]
        made.logger.info("4")
        assert [line["body"] for line in made.lines()] == ["1", "3"]
        assert total(made.suppressed()) == 2
