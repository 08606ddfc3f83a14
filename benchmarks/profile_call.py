"""Where the time of one log call goes: ``python -m benchmarks.profile_call [--write]``.

The parts are measured by the CPU time of the calling thread, with delivery not started: the least of
several rounds, so that neither another process nor another thread of this one counts. Below them stand
whole bursts by the clock: alone, with delivery, and with a process beside that has nothing to do with
logging. Where that last one slows the call down, the two processors share a core, and a part of what
delivery seems to cost is the machine's.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants import CONTESTANTS
from benchmarks.own import run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib import fast_log_record
from otel_stdlib.delivery.worker import DestinationWorker

__all__ = ["main"]

_CALLS = 30_000
_ROUNDS = 7
_BURST = 100_000
_BESIDE = "import json\nd = {'a': list(range(100)), 'b': 'x' * 100}\nwhile True: json.loads(json.dumps(d))"


def least(call: Callable[[], object]) -> float:
    """Microseconds of CPU of this thread for one call: the least of some rounds."""
    found = []
    for _ in range(_ROUNDS):
        begin = time.thread_time()
        for _ in range(_CALLS):
            call()
        found.append((time.thread_time() - begin) / _CALLS * 1e6)
    return min(found)


def _record_of(log: Callable[[int], object], logger: logging.Logger) -> logging.LogRecord:
    """The record that a call makes."""
    taken: list[logging.LogRecord] = []

    class Take(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            taken.append(record)
            return True

    handler = Take()
    logger.addHandler(handler)
    log(1)
    logger.removeHandler(handler)
    return taken[0]


def parts(folder: Path) -> dict[str, float]:
    """The parts of a call, in a process of its own."""
    null = CONTESTANTS["null"](folder)
    logger = logging.getLogger("shop.orders")
    found = {"NullHandler": least(lambda: null.log(1))}
    logging.setLogRecordFactory(fast_log_record)
    found["fast"] = least(lambda: null.log(1))
    logging.setLogRecordFactory(logging.LogRecord)
    logger.handlers.clear()
    own = CONTESTANTS["own"](folder)
    own.log(1)
    record = _record_of(own.log, logger)
    handler = logger.handlers[0]
    pipeline = handler.pipeline  # type: ignore[attr-defined]
    encode, append = pipeline._encode, pipeline._append
    payload, severity, time_ns = encode(record)
    nothing = least(lambda: None)
    found["encode"] = least(lambda: encode(record)) - nothing
    found["append"] = least(lambda: append(payload, 20, severity, time_ns)) - nothing
    found["handle"] = least(lambda: handler.handle(record)) - nothing
    found["call"] = least(lambda: own.log(1))
    logging.setLogRecordFactory(fast_log_record)
    found["fast call"] = least(lambda: own.log(1))
    return found


def burst(name: str, folder: Path) -> dict[str, float]:
    """Microseconds a call by the clock: the mean and the median of a burst."""
    contestant = CONTESTANTS[name](folder)
    for number in range(5_000):
        contestant.log(number)
    times = []
    for number in range(_BURST):
        begin = time.perf_counter_ns()
        contestant.log(number)
        times.append(time.perf_counter_ns() - begin)
    return {"mean": statistics.fmean(times) / 1e3, "p50": statistics.median(times) / 1e3}


@contextmanager
def _beside() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _BESIDE])
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _start_nothing(_worker: DestinationWorker) -> None:
    """In the place of ``DestinationWorker.start``."""


def part(name: str) -> None:
    """One measurement, in a process of its own."""
    what, _, contestant = name.partition(":")
    if what != "delivered":
        DestinationWorker.start = _start_nothing  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-", ignore_cleanup_errors=True) as folder:
        if what == "parts":
            found = parts(Path(folder))
        elif what == "beside":
            with _beside():
                found = burst(contestant, Path(folder))
        else:
            found = burst(contestant, Path(folder))
        print(json.dumps(found), flush=True)
    os._exit(0)  # nothing is delivered here


def _parts_table(found: dict[str, float]) -> str:
    rest = found["handle"] - found["encode"] - found["append"]
    named = {
        "`NullHandler`: logging itself, `LogRecord`, its caller's place": found["NullHandler"],
        "encode: `LineEncoder.encode`": found["encode"],
        "append: check, lock, reservation, two stores into the mapping": found["append"],
        "`handle`, `emit`, `Pipeline.log`": rest,
        "the whole call": found["call"],
        "`fast_records`: what `LogRecord` costs less": found["NullHandler"] - found["fast"],
        "the whole call with `fast_records`": found["fast call"],
    }
    rows = [[name, f"{value:.2f}", f"{value / found['NullHandler']:.2f}"] for name, value in named.items()]
    return table(["part, CPU of the calling thread", "µs", "× NullHandler"], rows)


def _burst_table(rounds: int) -> str:
    kinds = {
        "`NullHandler`, alone": "alone:null",
        "`NullHandler`, an unrelated process beside": "beside:null",
        "otel_stdlib without delivery, alone": "alone:own",
        "otel_stdlib without delivery, an unrelated process beside": "beside:own",
        "otel_stdlib with delivery": "delivered:own",
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, what in kinds.items():
            found[name].append(run_part("benchmarks.profile_call", ["--part", what]))
    rows = []
    for name, values in found.items():
        mean = statistics.median(value["mean"] for value in values)
        p50 = statistics.median(value["p50"] for value in values)
        rows.append([name, f"{mean:.1f}", f"{p50:.1f}"])
    return table([f"burst of {_BURST:,} calls, by the clock", "mean µs", "p50 µs"], rows)


def main() -> None:
    """Measure, print, and with ``--write`` update the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_call", description=__doc__)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.part is not None:
        part(options.part)
        return
    text = f"{_parts_table(run_part('benchmarks.profile_call', ['--part', 'parts']))}\n\n{_burst_table(options.rounds)}"
    facts = f"`{command_line('benchmarks.profile_call')}`. {machine(('otel_stdlib', 'orjson'))}"
    print(f"{text}\n\n{facts}")
    if options.write:
        write_section(RESULTS, "profile_call", f"## Where the time of a log call goes\n\n{text}\n\n{facts}")


if __name__ == "__main__":
    main()
