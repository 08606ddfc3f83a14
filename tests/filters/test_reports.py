"""What a rate limit reports: every key that lost something, in the stream that it was lost in."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from otel_stdlib.filters import RateLimitFilter, SamplingFilter
from otel_stdlib.handlers import JSONLFileHandler
from tests.filters.parts import Clock, lines, logged, record, total
from tests.support import eventually
from tests.tree import ROOT

EVENT = "otel_stdlib.suppressed"


class TestReports:
    def test_one_record_for_each_key(self, tmp_path: Path) -> None:
        """What was suppressed, where, how many and when; it comes from the place that was suppressed."""
        with logged(tmp_path, RateLimitFilter(0.001, burst=1, by="attribute:tenant_id")) as made:
            for _ in range(4):
                made.logger.info("order", extra={"tenant_id": "acme"})
            made.logger.info("order", extra={"tenant_id": "b"})
            first, _, told = made.lines()
            assert told["event_name"] == EVENT
            assert told["severity_text"] == "INFO"
            assert told["scope"] == first["scope"]
            found = told["attributes"]
            assert found["tenant_id"] == "acme"
            assert found["otel_stdlib.suppressed.rule"] == "rate_limit"
            assert found["otel_stdlib.suppressed.key"] == "attribute:tenant_id=acme".removeprefix(
                "attribute:"
            )
            assert found["otel_stdlib.suppressed.count"] == 3
            assert (
                first["timestamp"]
                <= found["otel_stdlib.suppressed.from"]
                <= found["otel_stdlib.suppressed.to"]
            )
            assert found["code.line.number"] == first["attributes"]["code.line.number"]
            assert found["thread.name"] == first["attributes"]["thread.name"]
            assert "trace_id" not in told
            assert made.suppressed() == {"rate_limit": {"INFO": 3}}

    def test_every_so_many_seconds(self, tmp_path: Path) -> None:
        """Without another record, flush or close: a thread reports, and ends."""
        with logged(tmp_path, RateLimitFilter(0.001, burst=1, report=0.1)) as made:
            for _ in range(3):
                made.logger.info("x")
            assert eventually(lambda: len(lines(made.path)) == 2, 30)
            assert made.lines()[1]["attributes"]["otel_stdlib.suppressed.count"] == 2
            made.logger.info("x")
            assert eventually(lambda: len(lines(made.path)) == 3, 30)

    def test_a_report_is_never_suppressed(self, tmp_path: Path) -> None:
        """Not by the filter itself, nor by others of this package beside it."""
        filters = (
            RateLimitFilter(0.001, burst=1, by="none"),
            SamplingFilter(0, rules=[{"logger": "x", "ratio": 1}]),
        )
        with logged(tmp_path, *filters) as made:
            log = logging.getLogger("x")
            log.propagate, log.level = False, 1
            log.addHandler(made.queue)
            for _ in range(3):
                log.info("x")
            log.removeHandler(made.queue)
            log.propagate = True
            assert [line.get("event_name") for line in made.lines()] == [None, EVENT]

    def test_other_filters_see_it(self, tmp_path: Path) -> None:
        """What a filter of the application hides on every record, it hides on a report too."""

        def hide(entry: logging.LogRecord) -> bool:
            entry.__dict__["seen"] = True
            return True

        with logged(tmp_path, RateLimitFilter(0.001, burst=1), hide) as made:
            made.logger.info("x")
            made.logger.info("x")
            assert [line["attributes"]["seen"] for line in made.lines()] == [True, True]

    def test_behind_the_queue_it_is_for_that_destination(self, tmp_path: Path) -> None:
        """Where the records were suppressed, and nowhere else."""
        with logged(tmp_path) as made:
            other = JSONLFileHandler(tmp_path / "other.jsonl")
            made.queue.set_handlers([made.file, other], True)
            other.addFilter(RateLimitFilter(0.001, burst=1))
            for _ in range(3):
                made.logger.info("x")
            assert len(made.lines()) == 3
            found = lines(tmp_path / "other.jsonl")
            assert [line.get("event_name") for line in found] == [None, EVENT]
            assert made.queue.health()["destinations"]["jsonl"]["suppressed"] == {"rate_limit": {"INFO": 2}}

    def test_many_keys_have_one_record_together(self, clock: Clock) -> None:
        """A report is no flood itself."""
        each = RateLimitFilter(0.001, burst=1)
        for number in range(250):
            each.filter(record(f"m{number}"))
            each.filter(record(f"m{number}"))
        found, again = each.collect(0.0, True)
        each.flush()
        assert (len(found), again) == (101, None)
        assert found[-1]["otel_stdlib.suppressed.key"] == "150 other keys"
        assert sum(entry["otel_stdlib.suppressed.count"] for entry in found) == 250

    def test_no_reports(self, tmp_path: Path) -> None:
        """``report: 0`` leaves the counts in health."""
        with logged(tmp_path, RateLimitFilter(0.001, burst=1, report=0)) as made:
            made.logger.info("x")
            made.logger.info("x")
            assert [line["body"] for line in made.lines()] == ["x"]
            assert total(made.suppressed()) == 1

    def test_at_the_end_of_the_process(self, tmp_path: Path) -> None:
        """What was suppressed last is reported before delivery ends."""
        program = (
            "import logging, sys\n"
            "from otel_stdlib import OTelQueueHandler\n"
            "from otel_stdlib.filters import RateLimitFilter\n"
            "from otel_stdlib.handlers import JSONLFileHandler\n"
            "each = RateLimitFilter(0.001, burst=1)\n"
            "queue = OTelQueueHandler(handlers=[JSONLFileHandler(sys.argv[1])])\n"
            "queue.addFilter(each)\n"
            "stderr = logging.StreamHandler()\n"
            "stderr.addFilter(each)\n"
            "stderr.setFormatter(logging.Formatter('%(message)s'))\n"
            "logging.basicConfig(handlers=[queue, stderr], level=20)\n"
            "for _ in range(5): logging.info('x')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "a.jsonl")],
            cwd=ROOT, capture_output=True, text=True, timeout=100, check=True,
        )  # fmt: skip
        assert [line.get("event_name") for line in lines(tmp_path / "a.jsonl")] == [None, EVENT]
        assert done.stderr.splitlines() == [
            "x",
            "4 records suppressed by rate_limit: logger=root, template=x",
        ]
