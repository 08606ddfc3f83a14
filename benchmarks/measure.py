"""One measurement in a process of its own: ``python -m benchmarks.measure CONTESTANT MODE RECORDS FOLDER``.

Prints one JSON object. Modes:

- ``mean``: a burst without a clock around each call, then close: mean cost, end-to-end rate, drops;
- ``spread``: a burst with a clock around each call: percentiles and the maximum;
- ``cpu``: the same for at most three seconds with one CPU-bound thread beside it;
- ``fsync``: the same as ``spread`` with another process that writes and syncs all the time.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, Contestant

__all__ = ["MODES", "WARM_UP"]

#: Calls before the measured ones: caches fill, threads start, the first segments are prepared.
WARM_UP = 5_000
_CPU_SECONDS = 3.0
_WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
block = os.urandom(1 << 20)
while True:
    for _ in range(64):
        os.write(fd, block)
        os.fsync(fd)
    os.lseek(fd, 0, 0)
"""


def mean(contestant: Contestant, records: int, folder: Path) -> dict[str, float]:
    """A burst as an application would see it, and the way of its records to the end."""
    log = contestant.log
    begin = time.perf_counter()
    for number in range(records):
        log(number)
    logged = time.perf_counter()
    contestant.close()
    closed = time.perf_counter()
    result = {"mean_us": (logged - begin) / records * 1e6}
    if contestant.output is not None:
        result["end_to_end"] = records / (closed - begin)
        result["dropped"] = records + WARM_UP - contestant.stored()
    return result


def spread(contestant: Contestant, records: int, folder: Path) -> dict[str, float]:
    """How the calls of a burst are spread."""
    times = _timed(contestant, records, float("inf"))
    contestant.close()
    return percentiles(times)


def cpu(contestant: Contestant, records: int, folder: Path) -> dict[str, float]:
    """Calls of one thread while another computes without a pause."""
    stop = False

    def compute() -> None:
        while not stop:
            sum(range(200))

    thread = threading.Thread(target=compute)
    thread.start()
    begin = time.perf_counter()
    times = _timed(contestant, records, begin + _CPU_SECONDS)
    logged = time.perf_counter()
    stop = True
    thread.join()
    contestant.close()
    return {
        **percentiles(times),
        "mean_us": sum(times) / len(times) / 1e3,
        "calls": len(times) / (logged - begin),
    }


def fsync(contestant: Contestant, records: int, folder: Path) -> dict[str, float]:
    """A burst beside a heavy, syncing writer on the same file system."""
    with _heavy_writer(folder):
        times = _timed(contestant, records, float("inf"))
    contestant.close()
    return percentiles(times)


MODES = {"mean": mean, "spread": spread, "cpu": cpu, "fsync": fsync}


@contextmanager
def _heavy_writer(folder: Path) -> Iterator[None]:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder / "heavy")])
    time.sleep(0.5)
    try:
        yield
    finally:
        writer.kill()
        writer.wait()


def _timed(contestant: Contestant, records: int, deadline: float) -> array[int]:
    """The nanoseconds of each call, until all are made or the deadline is past."""
    log, clock = contestant.log, time.perf_counter_ns
    times = array("q", bytes(8 * records))
    last = deadline * 1e9
    for number in range(records):
        begin = clock()
        log(number)
        end = clock()
        times[number] = end - begin
        if end > last:
            return times[: number + 1]
    return times


def percentiles(times: array[int]) -> dict[str, float]:
    """Microseconds: the median, 99 %, 99.9 % and the longest call."""
    ordered = sorted(times)
    count = len(ordered)
    at = {"p50_us": 0.5, "p99_us": 0.99, "p999_us": 0.999}
    result = {name: ordered[min(count - 1, int(count * share))] / 1e3 for name, share in at.items()}
    return {**result, "max_us": ordered[-1] / 1e3}


def main() -> None:
    """Measure as the command line says."""
    name, mode, records, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    contestant = CONTESTANTS[name](folder)
    for number in range(WARM_UP):
        contestant.log(number)
    contestant.settle()
    gc.collect()
    print(json.dumps(MODES[mode](contestant, records, folder)))


if __name__ == "__main__":
    main()
