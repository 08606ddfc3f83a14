"""Deduplication: the first at once, the rest as one record with the exact count."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.filters import DedupeFilter, RateLimitFilter
from otel_stdlib.handlers import JSONLFileHandler
from tests.filters.parts import Clock, Kept, lines, logged, record, total, trace
from tests.support import eventually

COUNT = "otel_stdlib.repeat.count"


def counts(found: list[dict[str, Any]]) -> list[int | None]:
    """Of each record the count of repeats that it has."""
    return [line["attributes"].get(COUNT) for line in found]


class TestWindow:
    def test_the_first_at_once_and_one_for_the_rest(self, tmp_path: Path) -> None:
        """The first is unchanged; the last suppressed one is as it was, with its trace and the exact count."""
        with logged(tmp_path, DedupeFilter()) as made:
            for number in range(5):
                with trace(f"{number:032x}"[:-1] + "f"):
                    made.logger.error("no order %s", number, extra={"number": number})
            assert eventually(lambda: len(lines(made.path)) == 1)
            first, last = made.lines()
            assert (first["body"], last["body"]) == ("no order 0", "no order 4")
            assert COUNT not in first["attributes"]
            found = last["attributes"]
            assert (found[COUNT], found["number"], found["otel_stdlib.repeat.interval"]) == (4, 4, 10.0)
            assert first["timestamp"] < found["otel_stdlib.repeat.first"] < found["otel_stdlib.repeat.last"]
            assert found["otel_stdlib.repeat.last"] == last["timestamp"]
            assert last["trace_id"] == f"{4:032x}"[:-1] + "f"
            assert found["log.record.uid"] != first["attributes"]["log.record.uid"]
            assert made.suppressed() == {"dedupe": {"ERROR": 4}}

    def test_a_flood_shows_one_in_each_window(self, tmp_path: Path, clock: Clock) -> None:
        """A window is not extended by repeats, and ends by itself."""
        with logged(tmp_path, DedupeFilter(5)) as made:
            for _ in range(30):
                made.logger.info("x")
                clock.now += 1
            found = counts(made.lines())
            assert found.count(None) == 6
            assert sum(count or 0 for count in found) == 24

    def test_by_itself_without_another_record(self, tmp_path: Path) -> None:
        """A background thread reports at the window's end."""
        with logged(tmp_path, DedupeFilter(0.2, by="template")) as made:
            for _ in range(3):
                made.logger.info("x")
            assert eventually(lambda: counts(lines(made.path)) == [None, 2])
            made.logger.info("x")
            assert eventually(lambda: counts(lines(made.path)) == [None, 2, None])

    def test_flush_in_a_window(self, tmp_path: Path) -> None:
        """What is suppressed later in the same window is one more record: every repeat is counted once."""
        with logged(tmp_path, DedupeFilter(3_600, by="template")) as made:
            for _ in range(3):
                made.logger.info("x")
            assert counts(made.lines()) == [None, 2]
            assert counts(made.lines()) == [None, 2]
            made.logger.info("x")
            assert counts(made.lines()) == [None, 2, 1]

    def test_allow(self, tmp_path: Path) -> None:
        """So many pass before others are suppressed."""
        with logged(tmp_path, DedupeFilter(allow=3)) as made:
            for _ in range(5):
                made.logger.info("x")
            assert counts(made.lines()) == [None, None, None, 2]

    def test_up_to(self, tmp_path: Path) -> None:
        """Above it every record passes."""
        with logged(tmp_path, DedupeFilter(up_to="INFO")) as made:
            for _ in range(3):
                made.logger.warning("x")
            assert counts(made.lines()) == [None] * 3

    def test_an_evicted_window_is_reported(self, tmp_path: Path) -> None:
        """No count is lost for want of room."""
        with logged(tmp_path, DedupeFilter(3_600, by="template", max_keys=2)) as made:
            for message in ("a", "a", "b", "c", "c", "a"):
                made.logger.info(message)
            found = [(line["body"], line["attributes"].get(COUNT)) for line in made.lines()]
            assert sorted(found, key=str) == [
                ("a", 1),
                ("a", None),
                ("a", None),
                ("b", None),
                ("c", 1),
                ("c", None),
            ]

    def test_names_of_the_collector(self, tmp_path: Path) -> None:
        """As its processor ``log_dedup`` has them."""
        with logged(tmp_path, DedupeFilter(names="collector")) as made:
            for _ in range(2):
                made.logger.info("x")
            found = made.lines()[1]["attributes"]
            assert found["log_count"] == 1
            assert found["first_observed_timestamp"] == found["last_observed_timestamp"]


class TestKeys:
    def test_what_is_equal_by_default(self, tmp_path: Path) -> None:
        """Place, template, level and the type of the exception; not arguments."""
        with logged(tmp_path, DedupeFilter()) as made:
            for error in (ValueError, ValueError, KeyError):
                try:
                    raise error("x")
                except Exception:
                    made.logger.exception("failed %s", error.__name__)
            made.logger.error("failed %s", "x")
            found = made.lines()
            assert sorted(map(str, counts(found))) == ["1", "None", "None", "None"]
            (repeat,) = [line for line in found if COUNT in line["attributes"]]
            assert "ValueError" in repeat["attributes"]["exception.stacktrace"]

    def test_by_body_or_attribute(self, tmp_path: Path) -> None:
        """The message after its arguments are put in; or whatever the application says."""
        for by, expected in (("body", 3), ("attribute:group", 2), (["logger"], 1)):
            each = DedupeFilter(by=by)
            found = sum(bool(each.filter(record("m %s", args=(n // 2,), group=n // 3))) for n in range(6))
            each.flush()
            assert found == expected

    def test_objects_that_raise_pass(self) -> None:
        """A key that cannot be had is no reason to lose the record."""
        each = DedupeFilter(by="body")
        for entry in [record("%d", args=("x",)), record(levelno=None)] * 3:
            assert each.filter(entry) is True


class TestPlaces:
    def test_one_filter_for_several_handlers(self, tmp_path: Path) -> None:
        """Each handler gets the first one, and each gets the count."""
        each, kept = DedupeFilter(), Kept()
        kept.addFilter(each)
        with logged(tmp_path, each) as made:
            made.logger.addHandler(kept)
            for _ in range(3):
                made.logger.info("x")
            assert counts(made.lines()) == [None, 2]
            made.logger.removeHandler(kept)
            assert [entry.__dict__.get(COUNT) for entry in kept.records] == [None, 2]

    def test_behind_the_queue(self, tmp_path: Path) -> None:
        """For that destination alone, and the summary too."""
        with logged(tmp_path) as made:
            other = JSONLFileHandler(tmp_path / "other.jsonl")
            other.addFilter(DedupeFilter())
            made.queue.set_handlers([made.file, other], True)
            for _ in range(3):
                made.logger.info("x")
            assert counts(made.lines()) == [None] * 3
            assert counts(lines(tmp_path / "other.jsonl")) == [None, 2]
            assert made.queue.health()["destinations"]["jsonl"]["suppressed"] == {"dedupe": {"INFO": 2}}

    def test_a_limit_after_it_lets_the_count_pass(self, tmp_path: Path) -> None:
        """The documented order: deduplication, then the rate limit."""
        with logged(tmp_path, DedupeFilter(), RateLimitFilter(0.001, burst=1, report=0)) as made:
            for _ in range(3):
                made.logger.info("x")
            assert counts(made.lines()) == [None, 2]
            assert made.suppressed() == {"dedupe": {"INFO": 2}}

    def test_threads(self, tmp_path: Path) -> None:
        """Passed and counted records are all that were logged."""
        with logged(tmp_path, DedupeFilter(0.05, by="template")) as made:

            def log() -> None:
                for number in range(1_000):
                    made.logger.info("m%d" % (number % 3))  # noqa: UP031

            threads = [threading.Thread(target=log) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found = counts(made.lines())
            assert sum(1 if count is None else count for count in found) == 4_000
            assert total(made.suppressed()) == sum(count or 0 for count in found)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_a_forked_child_has_windows_of_its_own(self, tmp_path: Path) -> None:
        """The parent's counts stay the parent's, and no record is counted by both."""
        with logged(tmp_path, DedupeFilter(3_600, by="template")) as made:
            for _ in range(3):
                made.logger.info("x")
            pid = os.fork()
            if not pid:
                for _ in range(5):
                    made.logger.info("x")
                made.queue.stop(30)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert eventually(lambda: sorted(map(str, counts(made.lines()))) == ["2", "4", "None", "None"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "option 'window' must be a number of seconds above 0"),
        ({"window": -1}, "option 'window' must be a number of seconds above 0"),
        ({"by": ["templates"]}, "option 'by' must have names .* did you mean 'template'"),
        ({"by": "none"}, "option 'by' must have names"),
        ({"allow": 0}, "option 'allow' must be a whole number of 1 or more"),
        ({"max_keys": 0}, "option 'max_keys' must be a whole number of 1 or more"),
        ({"names": "otel"}, "option 'names' must be one of otel_stdlib, collector"),
        ({"directory": 7}, "option 'directory' must be a path, not 7"),
        ({"up_to": "ALL"}, "option 'up_to': there is no level 'ALL'"),
        ({"windw": 1}, "unknown option 'windw' of DedupeFilter; did you mean 'window'"),
    ],
)
def test_an_error_names_the_option(options: dict[str, Any], message: str) -> None:
    """What is wrong, what is allowed, and the nearest name."""
    with pytest.raises(ConfigError, match=message):
        DedupeFilter(**options)


def test_levels_below_the_handlers(tmp_path: Path) -> None:
    """A filter on a handler sees what that handler takes."""
    with logged(tmp_path, DedupeFilter()) as made:
        made.queue.setLevel(logging.WARNING)
        for _ in range(2):
            made.logger.info("x")
            made.logger.warning("y")
        assert [line["body"] for line in made.lines()] == ["y", "y"]
        assert made.suppressed() == {"dedupe": {"WARN": 1}}
