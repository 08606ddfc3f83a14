"""Accepted = delivered + waiting + refused + suppressed, whatever filters, kills and restarts there are."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_stdlib.filters import DedupeFilter, QuotaFilter, RateLimitFilter, SamplingFilter
from tests.filters.parts import lines, logged, total
from tests.tree import ROOT

COUNT = "otel_stdlib.repeat.count"
EVENTS = {"otel_stdlib.suppressed", "otel_stdlib.quota"}
LEVELS = (10, 20, 30, 40)

_FILTERS = {
    "sampling": lambda: SamplingFilter(0.5, by="record", up_to="WARNING"),
    "dedupe": lambda: DedupeFilter(0.02, by="template", up_to="WARNING"),
    "rate": lambda: RateLimitFilter(200, burst=5, report=0.05, up_to="ERROR"),
    "quota": lambda: QuotaFilter(30, period=86_400, up_to="WARNING"),
}


def is_own(line: dict[str, Any]) -> bool:
    """Whether a record is one that a filter made."""
    return line.get("event_name") in EVENTS or COUNT in line["attributes"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    names=st.lists(st.sampled_from(sorted(_FILTERS)), max_size=4, unique=True),
    behind=st.lists(st.sampled_from(sorted(_FILTERS)), max_size=2, unique=True),
    calls=st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(0, 3)), max_size=120),
)
def test_random_mixtures(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    behind: list[str],
    calls: list[tuple[int, int]],
) -> None:
    """By severity too: an ERROR that is suppressed is counted as ERROR."""
    folder = tmp_path_factory.mktemp("mixture")
    monkeypatch.setenv("OTEL_STDLIB_SPOOL_DIR", str(folder / "spool"))
    with logged(folder, *[_FILTERS[name]() for name in names]) as made:
        for name in behind:
            made.file.addFilter(_FILTERS[name]())
        for level, number in calls:
            made.logger.log(level, f"message {number}")
        found = [line for line in made.lines() if not is_own(line)]
        report = made.queue.health()
        here = report.get("destinations", {}).get("file", {})
        assert (report["dropped"], here.get("lag_records", 0)) == ({}, 0)
        later = here.get("suppressed", {})
        counts = [total(report["suppressed"]), total(later), len(found)]
        # A report of the filters in front may be suppressed by none, so only calls are counted.
        assert sum(counts) == len(calls), (report["suppressed"], later, len(found))
        for label, level in (("DEBUG", 10), ("INFO", 20), ("WARN", 30), ("ERROR", 40)):
            lost = sum(by.get(label, 0) for part in (report["suppressed"], later) for by in part.values())
            kept = sum(
                line["severity_number"] in range(level // 10 * 4 + 1, level // 10 * 4 + 5) for line in found
            )
            assert lost + kept == sum(given == level for given, _ in calls)


_PROGRAM = """
import json, logging, os, random, signal, sys
from otel_stdlib import OTelQueueHandler
from otel_stdlib.filters import DedupeFilter
from otel_stdlib.handlers import JSONLFileHandler

path, seed, kill = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "kill"
source = random.Random(seed)
queue = OTelQueueHandler(handlers=[JSONLFileHandler(path)])
queue.addFilter(DedupeFilter(3_600, by="template"))
logging.basicConfig(handlers=[queue], level=10)
count = source.randrange(50, 400)
for number in range(count):
    logging.log(source.choice((10, 20, 40)), "message %d" % source.randrange(5))
print(count, flush=True)
if kill:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_through_kills_and_restarts(tmp_path: Path) -> None:
    """Every call is a record, or in the count of one, though most processes were killed."""
    path, logged_calls = tmp_path / "a.jsonl", 0
    kinds = ["kill"] * 4 + ["exit"]
    random.Random(5).shuffle(kinds)
    for seed, kind in enumerate([*kinds, "exit"]):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path), str(seed), kind],
            cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        logged_calls += json.loads(done.stdout)
    assert sum(line["attributes"].get(COUNT, 1) for line in lines(path)) == logged_calls
