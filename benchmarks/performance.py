"""What the facade's five ways of logging cost on a real back end. ``performance_test.py`` is its command.

Each way runs in a process of its own: its memory, processor time and threads are those of that process.
Logged: log calls a second. Delivered: records a second from the first call until the back end has the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import percentiles
from benchmarks.report import ROOT, machine, table
from otel_stdlib import alog_info, configure_logger, log_info

__all__ = ["SEED", "WAYS", "compare", "figures", "measure"]

#: Logs a second that the framework with this interface reported of itself, with 1,000 logs.
SEED = {"sync": 2_590, "threads": 919, "async": 744, "coroutines": 777, "batch": 848}
_TITLES = {
    "sync": "sync, one thread",
    "threads": "sync, 4 threads",
    "async": "async, one coroutine",
    "coroutines": "async, 10 coroutines",
    "batch": "async, batches of 100",
}
_THREADS = 4
_COROUTINES = 10
_BATCH = 100
_DELIVERY_TIMEOUT = 300.0


class _Calls:
    """Makes and times log calls; an exception out of one is an error of it."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.errors = 0

    def log(self, number: int) -> None:
        begin = time.perf_counter_ns()
        try:
            log_info("order %s placed", number, order_id=number, customer="c-1017", amount=12.5)
        except Exception:
            self.errors += 1
        self.times.append(time.perf_counter_ns() - begin)

    async def alog(self, number: int) -> None:
        begin = time.perf_counter_ns()
        try:
            await alog_info("order %s placed", number, order_id=number, customer="c-1017", amount=12.5)
        except Exception:
            self.errors += 1
        self.times.append(time.perf_counter_ns() - begin)


def _sync(calls: _Calls, logs: int) -> None:
    for number in range(logs):
        calls.log(number)


def _threads(calls: _Calls, logs: int) -> None:
    def work(numbers: range) -> None:
        for number in numbers:
            calls.log(number)

    threads = [threading.Thread(target=work, args=(range(n, logs, _THREADS),)) for n in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def _async(calls: _Calls, logs: int) -> None:
    for number in range(logs):
        await calls.alog(number)


async def _coroutines(calls: _Calls, logs: int) -> None:
    async def work(numbers: range) -> None:
        for number in numbers:
            await calls.alog(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(range(n, logs, _COROUTINES)) for n in range(_COROUTINES)))


async def _batch(calls: _Calls, logs: int) -> None:
    for start in range(0, logs, _BATCH):
        await asyncio.gather(*(calls.alog(number) for number in range(start, min(start + _BATCH, logs))))


def _in_loop(way: Callable[[_Calls, int], Awaitable[None]]) -> Callable[[_Calls, int], None]:
    def run(calls: _Calls, logs: int) -> None:
        async def whole() -> None:
            await way(calls, logs)

        asyncio.run(whole())

    return run


WAYS: Mapping[str, Callable[[_Calls, int], None]] = {
    "sync": _sync,
    "threads": _threads,
    "async": _in_loop(_async),
    "coroutines": _in_loop(_coroutines),
    "batch": _in_loop(_batch),
}


def _part(way: str, logs: int, backend: str, options: Mapping[str, Any], folder: Path) -> None:
    if backend == "filesystem":
        options = {"log_file": str(folder / "performance.jsonl"), **options}
    logger = configure_logger(
        strict=True,
        service_name="performance",
        backends=[{"backend_type": backend, "name": "measured", "config": dict(options)}],
        spool={"directory": str(folder / "spool")},
    )
    log_info("the pipeline runs")
    if not logger.flush(10.0):
        print(f"{backend} takes nothing: {_status(logger)['last_error']}", file=sys.stderr, flush=True)
        os._exit(1)  # nothing is to be delivered any more
    before, calls, busy, begin = _status(logger)["sent"], _Calls(), time.process_time(), time.perf_counter()
    WAYS[way](calls, logs)
    logged, threads = time.perf_counter() - begin, threading.active_count()
    logger.flush(_DELIVERY_TIMEOUT)
    delivered = time.perf_counter() - begin
    sent = _status(logger)["sent"] - before
    result = {
        "logged": logs / logged,
        "delivered": sent / delivered,
        "missing": logs - sent,
        "errors": calls.errors,
        "threads": threads,
        "processor": (time.process_time() - busy) / delivered * 100,
        "memory": _peak_bytes() / (1 << 20),
        **percentiles(array("q", calls.times)),
    }
    logger.close()
    print(json.dumps(result))


def _status(logger: Any) -> Mapping[str, Any]:
    status: Mapping[str, Any] = logger.get_health_status()["backends"]["measured"]
    return status


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(
    logs: int, backend: str, options: Mapping[str, Any], ways: Sequence[str] = tuple(WAYS)
) -> Iterator[tuple[str, dict[str, float]]]:
    """Each way in turn, as it is measured.

    Raises:
        RuntimeError: the back end does not take records; the message is its last line.
    """
    for way in ways:
        with tempfile.TemporaryDirectory(prefix="otel-stdlib-performance-") as folder:
            arguments = [way, str(logs), backend, json.dumps(options), folder]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.performance", *arguments],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise RuntimeError(f"{way}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        yield way, json.loads(done.stdout.splitlines()[-1])


#: Column head, measure, form.
_COLUMNS = (
    ("logged/s", "logged", "{:,.0f}"),
    ("delivered/s", "delivered", "{:,.0f}"),
    ("p50 µs", "p50_us", "{:,.1f}"),
    ("p99 µs", "p99_us", "{:,.1f}"),
    ("max µs", "max_us", "{:,.0f}"),
    ("peak memory, MiB", "memory", "{:.0f}"),
    ("processor, %", "processor", "{:.0f}"),
    ("threads", "threads", "{:.0f}"),
    ("errors", "errors", "{:.0f}"),
    ("not delivered", "missing", "{:.0f}"),
)


def figures(results: Mapping[str, Mapping[str, float]]) -> tuple[list[str], list[list[str]]]:
    """The heads and the rows of a table."""
    rows = [
        [_TITLES[way], *(form.format(result[key]) for _, key, form in _COLUMNS)]
        for way, result in results.items()
    ]
    return ["way", *(head for head, _, _ in _COLUMNS)], rows


def compare(results: Mapping[int, Mapping[str, Mapping[str, float]]], command: str) -> str:
    """The rows that the framework published beside ours, for each number of logs."""
    rows = []
    for way, before in SEED.items():
        row = [_TITLES[way], f"{before:,}"]
        for measured in results.values():
            found = measured[way]
            row += [
                f"{found['logged']:,.0f}",
                f"{found['logged'] / before:.0f}",
                f"{found['delivered']:,.0f}",
            ]
        rows.append(row)
    head = ["way", "published, logs/s"]
    for logs in results:
        head += [f"logged/s, {logs:,} logs", "ratio", "delivered/s"]
    return f"{table(head, rows)}\n\n`{command}`, into a JSONL file. {machine(('orjson',))}"


def main() -> None:
    """Measure one way, for ``measure``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("way", choices=list(WAYS))
    parser.add_argument("logs", type=int)
    parser.add_argument("backend")
    parser.add_argument("options", type=json.loads)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    _part(arguments.way, arguments.logs, arguments.backend, arguments.options, arguments.folder)


if __name__ == "__main__":
    main()
