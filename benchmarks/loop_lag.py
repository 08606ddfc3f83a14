"""How late an event loop gets while coroutines log: ``python -m benchmarks.loop_lag [--write]``.

1,000 coroutines make 100 records each; a watcher asks to be woken every millisecond and notes how
late that was. ``busy``: a coroutine gives the loop away after each record and is ready again at once,
so a turn of the loop is 1,000 log calls. ``paced``: each coroutine waits between two records for as
long as makes 5,000 records a second of all. The difference to ``NullHandler`` is what logging adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.own import pipeline, run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section

__all__ = ["main"]

_COROUTINES = 1_000
_RECORDS = 100
_TICK = 0.001
_PACE = _COROUTINES / 5_000
_ROUNDS = 3


async def _work(number: int, pause: float) -> None:
    log = logging.getLogger("shop.orders")
    await asyncio.sleep(pause * number / _COROUTINES)
    for record in range(_RECORDS):
        log.info("order %s placed", record, extra={"order_id": record, "customer": "c-1017", "amount": 12.5})
        await asyncio.sleep(pause)


async def _watch(late: list[float]) -> None:
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(_TICK)
        late.append(time.perf_counter() - begin - _TICK)


async def _program(pause: float) -> list[float]:
    late: list[float] = []
    watcher = asyncio.create_task(_watch(late))
    await asyncio.gather(*(_work(number, pause) for number in range(_COROUTINES)))
    watcher.cancel()
    return late


def _part(logger: str, shape: str) -> None:
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        own = pipeline(Path(folder) / "out.jsonl", Path(folder) / "spool")
        if logger == "null":
            logging.getLogger().handlers[:] = [logging.NullHandler()]
        logging.getLogger().info("the pipeline runs")
        own.flush(30.0)
        late = asyncio.run(_program(_PACE if shape == "paced" else 0.0))
        own.stop(60.0)
    # Some runs have few samples: no percentile may lie beyond the longest one.
    cuts = statistics.quantiles(late, n=100, method="inclusive")
    found = {"samples": len(late), "p50": cuts[49] * 1e3, "p99": cuts[98] * 1e3, "max": max(late) * 1e3}
    print(json.dumps(found))


def main() -> None:
    """Measure, print, and with ``--write`` update the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop_lag", description=__doc__)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.part is not None:
        _part(*options.part)
        return
    rows = []
    for shape in ("paced", "busy"):
        runs: dict[str, list[dict[str, float]]] = {"null": [], "own": []}
        for _ in range(_ROUNDS):
            for name, found in runs.items():
                found.append(run_part("benchmarks.loop_lag", ["--part", name, shape]))
        for name, label in (("null", "`NullHandler`"), ("own", "**otel_stdlib**")):
            cells = [
                f"{statistics.median(run[key] for run in runs[name]):,.2f}" for key in ("p50", "p99", "max")
            ]
            samples = statistics.median(run["samples"] for run in runs[name])
            rows.append([f"{shape}: {label}", f"{samples:,.0f}", *cells])
    text = table(["1,000 coroutines, 100 records each", "samples", "p50 ms", "p99 ms", "max ms"], rows)
    where = machine(("otel_stdlib", "orjson"))
    facts = f"`{command_line('benchmarks.loop_lag')}`: medians of {_ROUNDS} rounds. {where}"
    print(f"{text}\n\n{facts}")
    if options.write:
        write_section(RESULTS, "loop_lag", f"## How late an event loop gets\n\n{text}\n\n{facts}")


if __name__ == "__main__":
    main()
