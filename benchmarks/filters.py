"""What a filter costs in the log call: ``python -m benchmarks.filters [--write]``.

An INFO call with one argument and three extras, to a queue handler whose filter lets it pass or suppresses it,
besides the same call to a ``NullHandler`` and to the queue handler without a filter. All are timed in turns of
2,000 calls in one process, so that what else the machine does meets them alike. The ratios are to ``NullHandler``;
of a call that passes, what the filter adds.

Aims: a passing call adds at most 0.10; a suppressed one costs at most 1.05 in pure Python, and 0.80 compiled with
``fast_records``. Run it with ``OTEL_STDLIB_NO_NATIVE=1`` as well for pure Python.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.own import pipeline, run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib import attach, fast_log_record
from otel_stdlib._native import core
from otel_stdlib.filters import DedupeFilter, QuotaFilter, RateLimitFilter, SamplingFilter
from otel_stdlib.record.context import SpanContext

__all__ = ["main"]

_TURNS = 30
_CALLS = 2_000
_ROUNDS = 3
_MANY = 10**9
#: Filters by what they do to the call. Nothing is reported while it is timed.
_FILTERS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "sampling": (lambda: SamplingFilter(0.999999, mark=False), lambda: SamplingFilter(0.0)),
    "sampling, marked": (lambda: SamplingFilter(0.999999), lambda: SamplingFilter(0.0)),
    "dedupe": (lambda: DedupeFilter(allow=_MANY), lambda: DedupeFilter(3_600)),
    "rate limit": (lambda: RateLimitFilter(_MANY), lambda: RateLimitFilter(1e-9, burst=1, report=0)),
    "quota": (lambda: QuotaFilter(10**15, warn_at=1), lambda: QuotaFilter(1, warn_at=1, report=0)),
}


def _timed(log: logging.Logger) -> float:
    begin = time.perf_counter()
    for number in range(_CALLS):
        log.info("order %s placed", number, extra={"order_id": number, "customer": "c-1017", "amount": 12.5})
    return (time.perf_counter() - begin) / _CALLS * 1e6


def _part(fast: bool) -> None:
    if fast:
        logging.setLogRecordFactory(fast_log_record)
    attach(SpanContext("a" * 31 + "f", "b" * 16))
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        queue = pipeline(Path(folder) / "out.jsonl", Path(folder) / "spool")
        log = logging.getLogger("shop.orders")
        root = logging.getLogger()
        null = logging.NullHandler()
        ways: dict[str, tuple[logging.Handler, Any]] = {"null": (null, None), "no filter": (queue, None)}
        for name, (passing, suppressing) in _FILTERS.items():
            ways[f"{name}, passes"] = (queue, passing())
            ways[f"{name}, suppressed"] = (queue, suppressing())
        times: dict[str, list[float]] = {name: [] for name in ways}
        order = list(ways)
        root.removeHandler(queue)
        for turn in range(_TURNS + 1):
            random.shuffle(order)
            for name in order:
                handler, each = ways[name]
                handler.filters = [] if each is None else [each]
                root.addHandler(handler)
                found = _timed(log)
                root.removeHandler(handler)
                if turn:  # the first one warms up
                    times[name].append(found)
            queue.filters = []
            queue.flush(60.0)
            gc.collect()
        queue.stop(60.0)
    print(json.dumps({name: statistics.median(found) for name, found in times.items()}))


def main() -> None:
    """Measure, print, and with ``--write`` update the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filters", description=__doc__)
    parser.add_argument("--part", choices=["plain", "fast"], help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.part:
        _part(options.part == "fast")
        return
    columns: dict[str, list[list[str]]] = {}
    for kind in ("plain", "fast"):
        runs = [run_part("benchmarks.filters", ["--part", kind]) for _ in range(_ROUNDS)]
        plain = [run["null"] for run in runs]
        rows = [["`NullHandler`", f"{statistics.median(plain):,.2f}", "1.00", ""]]
        for name in runs[0]:
            if name == "null":
                continue
            cost = statistics.median(run[name] for run in runs)
            ratio = statistics.median(run[name] / run["null"] for run in runs)
            added = statistics.median((run[name] - run["no filter"]) / run["null"] for run in runs)
            shown = f"{added:+,.2f}" if name.endswith("passes") else ""
            rows.append([name, f"{cost:,.2f}", f"{ratio:,.2f}", shown])
        columns[kind] = rows
    flavour = "pure Python" if core is None else "compiled"
    parts = [
        f"{title}:\n\n" + table(["one call", "µs", "ratio", "added"], columns[kind])
        for kind, title in (("plain", "With the standard library's records"), ("fast", "With `fast_records`"))
    ]
    where = machine(("otel_stdlib", "orjson"))
    facts = f"`{command_line('benchmarks.filters')}`, {flavour}: medians of {_ROUNDS} rounds. {where}"
    text = "\n\n".join([*parts, facts])
    print(text)
    if options.write:
        name = "filters" if core is not None else "filters_pure"
        write_section(RESULTS, name, f"## What a filter costs ({flavour})\n\n{text}")


if __name__ == "__main__":
    main()
