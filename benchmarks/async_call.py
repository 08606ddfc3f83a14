"""What an asynchronous call costs beside the plain one: ``python -m benchmarks.async_call [--write]``.

``log_info`` and ``await alog_info`` with the same attributes, both in one coroutine of a running loop,
in turns of 2,000 calls that are further apart than the delivery thread's wakings: it takes its share of
both alike. Each round is a process of its own; the aim is a ratio of 1.3 at most.
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
from otel_stdlib import alog_info, log_info

__all__ = ["main"]

_TURNS = 25
_CALLS = 2_000
_ROUNDS = 3


def _plain() -> float:
    begin = time.perf_counter()
    for number in range(_CALLS):
        log_info("order placed", order_id=number, customer="c-1017", amount=12.5)
    return time.perf_counter() - begin


async def _awaited() -> float:
    begin = time.perf_counter()
    for number in range(_CALLS):
        await alog_info("order placed", order_id=number, customer="c-1017", amount=12.5)
    return time.perf_counter() - begin


async def _program() -> dict[str, float]:
    plain, awaited = [], []
    for turn in range(_TURNS + 1):
        seconds = [0.0, 0.0]
        # Who goes first changes: what the one leaves to be delivered is not always the other's burden.
        for way in (0, 1) if turn % 2 else (1, 0):
            seconds[way] = await _awaited() if way else _plain()
            await asyncio.sleep(0.05)
        if turn:  # the first one warms up
            plain.append(seconds[0] / _CALLS * 1e6)
            awaited.append(seconds[1] / _CALLS * 1e6)
    return {"sync": statistics.median(plain), "async": statistics.median(awaited)}


def _part() -> None:
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        own = pipeline(Path(folder) / "out.jsonl", Path(folder) / "spool")
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        found = asyncio.run(_program())
        own.stop(60.0)
    print(json.dumps(found))


def main() -> None:
    """Measure, print, and with ``--write`` update the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.async_call", description=__doc__)
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.part:
        _part()
        return
    runs = [run_part("benchmarks.async_call", ["--part"]) for _ in range(_ROUNDS)]
    plain, awaited = (statistics.median(run[way] for run in runs) for way in ("sync", "async"))
    ratio = statistics.median(run["async"] / run["sync"] for run in runs)
    rows = [
        ["`log_info(…)`", f"{plain:,.2f}", "1.00"],
        ["`await alog_info(…)`", f"{awaited:,.2f}", f"{ratio:,.2f}"],
    ]
    text = table(["one call, three attributes", "µs", "ratio"], rows)
    where = machine(("otel_stdlib", "orjson"))
    facts = f"`{command_line('benchmarks.async_call')}`: medians of {_ROUNDS} rounds. {where}"
    print(f"{text}\n\n{facts}")
    if options.write:
        write_section(
            RESULTS, "async_call", f"## An asynchronous call beside a plain one\n\n{text}\n\n{facts}"
        )


if __name__ == "__main__":
    main()
