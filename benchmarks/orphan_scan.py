"""What looking for orphans costs: ``python -m benchmarks.orphan_scan [--write]``.

An idle process with a started pipeline, beside none and beside many spools of dead processes whose
destination nobody here has: the worst case, as they stay. Shown are the processor time of the whole
process and, within it, that of looking for orphans.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.own import log_records, pipeline, run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib import OTelQueueHandler

_MODULE = "benchmarks.orphan_scan"
_HEAD = ("orphans of other destinations", "looking for orphans, share of a core", "whole idle process")


def _leave_orphans(folder: Path, count: int) -> None:
    (folder / "gone").write_bytes(b"")
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                pipeline(folder / "gone" / "out.jsonl", folder / "spool", segment_bytes=64 << 10)
                log_records(1)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def part(folder: Path, orphans: int, seconds: float) -> dict[str, float]:
    """The shares of a core that an idle, started pipeline takes, and that looking for orphans does."""
    warnings.simplefilter("ignore")
    _leave_orphans(folder, orphans)
    handler = pipeline(folder / "out.jsonl", folder / "spool")
    handler.start()
    looking = _time_the_looking(handler)
    time.sleep(3.0)
    begin, used, looked = time.perf_counter(), time.process_time(), sum(looking)
    time.sleep(seconds)
    passed = time.perf_counter() - begin
    if sum(looking) == looked:
        raise RuntimeError("nobody looked for orphans")
    result = {"share": (time.process_time() - used) / passed, "looking": (sum(looking) - looked) / passed}
    handler.stop(1.0)
    return result


def _time_the_looking(handler: OTelQueueHandler) -> list[float]:
    """Have the processor time of every look for orphans put into a list, in seconds."""
    generation: Any = handler.pipeline._generation
    tend, times = generation.adopter.tend, [0.0]

    def timed(*arguments: Any) -> None:
        begin = time.thread_time()
        tend(*arguments)
        times.append(time.thread_time() - begin)

    generation.adopter.tend = timed
    return times


def main() -> None:
    """Measure with none and with many orphans, and print."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--orphans", type=int, nargs="+", default=[0, 10, 100])
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(part(Path(options.part[0]), int(options.part[1]), options.seconds)))
        return
    rows = []
    for orphans in options.orphans:
        with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
            found = run_part(_MODULE, ["--part", folder, str(orphans), "--seconds", str(options.seconds)])
        rows.append([f"{orphans}", f"{found['looking']:.3%}", f"{found['share']:.3%}"])
    facts = f"`{command_line(_MODULE)}`. {machine(('otel_stdlib',))}"
    text = f"{table(_HEAD, rows)}\n\n{facts}"
    print(text)
    if options.write:
        write_section(RESULTS, "orphan_scan", f"## Looking for orphans\n\n{text}")


if __name__ == "__main__":
    main()
