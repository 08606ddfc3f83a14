"""How soon a reader of the JSONL file sees a record: ``python -m benchmarks.visible [--write]``.

One process logs at a steady rate; another reads the file as it grows, a look every millisecond, and takes the
time from the record's own timestamp to the look that found its line whole. The last row is a burst without a
pause: delivery gets the GIL once in a switch interval and falls behind until the burst ends.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks.own import log_records, pipeline, run_part
from benchmarks.report import RESULTS, ROOT, command_line, machine, table, write_section

_MODULE = "benchmarks.visible"
_RATES = (10, 1_000, 20_000, 0)
_SECONDS = 5
_BURST = 200_000
_HEAD = ("records/s", "records", "p50 ms", "p99 ms", "max ms")


def log(folder: Path, rate: int) -> None:
    """Log for some seconds, a hundredth of a second's records at a time; 0: a burst."""
    handler = pipeline(folder / "out.jsonl", folder / "spool")
    if not rate:
        log_records(_BURST)
    else:
        pause = max(0.01, 1 / rate)
        begin = time.perf_counter()
        for turn in range(int(_SECONDS / pause)):
            time.sleep(max(0.0, begin + turn * pause - time.perf_counter()))
            log_records(round(rate * pause))
    handler.stop(60.0)


def read(path: Path, count: int) -> dict[str, float]:
    """Read ``count`` lines as they come; how old each was when it was seen, in milliseconds."""
    ages: list[float] = []
    rest = b""
    with path.open("rb") as file:
        while len(ages) < count:
            data = file.read()
            now = time.time()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                stamp = datetime.fromisoformat(line[14:40].decode("ascii") + "+00:00")
                ages.append(now - stamp.timestamp())
            time.sleep(0.001)
    ages.sort()
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: ages[min(count - 1, int(count * share))] * 1e3 for name, share in at.items()}


def part(rate: int) -> dict[str, float]:
    """One rate: the reader here, the logger in a process of its own."""
    count = rate * _SECONDS or _BURST
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        path = Path(folder, "out.jsonl")
        path.touch()
        writer = subprocess.Popen([sys.executable, "-m", _MODULE, "--log", folder, str(rate)], cwd=ROOT)
        found = read(path, count)
        writer.wait(120)
    return {**found, "count": count}


def main() -> None:
    """Measure each rate, and print."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--log", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.log:
        log(Path(options.log[0]), int(options.log[1]))
        return
    if options.part is not None:
        print(json.dumps(part(options.part)))
        return
    rows = []
    for rate in _RATES:
        found = run_part(_MODULE, ["--part", str(rate)])
        times = [f"{found[name]:.0f}" for name in ("p50", "p99", "max")]
        rows.append([f"{rate:,}" if rate else "a burst", f"{found['count']:,.0f}", *times])
    text = f"{table(_HEAD, rows)}\n\n`{command_line(_MODULE)}`. {machine(('otel_stdlib', 'orjson'))}"
    print(text)
    if options.write:
        write_section(RESULTS, "visible", f"## How soon a line is in the file\n\n{text}")


if __name__ == "__main__":
    main()
