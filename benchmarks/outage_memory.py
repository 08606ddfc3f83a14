"""Memory during an outage: ``python -m benchmarks.outage_memory [--write]``.

One process logs a million records while its destination cannot be reached: the folder of its file
is no folder. Anonymous memory is what counts; the records wait on disk.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from pathlib import Path

from benchmarks.own import anonymous_bytes, log_records, pipeline, run_part, spool_bytes
from benchmarks.report import RESULTS, command_line, machine, table, write_section

_MODULE = "benchmarks.outage_memory"
_WARM_UP = 5_000
_PIECES = 20


def part(folder: Path, records: int) -> dict[str, float]:
    """Log into an outage; bytes and seconds."""
    (folder / "blocked").write_bytes(b"")
    handler = pipeline(folder / "blocked" / "out.jsonl", folder / "spool")
    log_records(_WARM_UP)
    gc.collect()
    before = highest = anonymous_bytes()
    begin = time.perf_counter()
    for _ in range(_PIECES):
        log_records(records // _PIECES)
        highest = max(highest, anonymous_bytes())
    seconds = time.perf_counter() - begin
    dropped = sum(handler.health()["dropped"].values())
    waiting = spool_bytes(folder / "spool")
    handler.stop(0.0)
    return {"growth": highest - before, "seconds": seconds, "dropped": dropped, "waiting": waiting}


def main() -> None:
    """Measure in a process of its own, and print."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(part(options.part, options.records)))
        return
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        found = run_part(_MODULE, ["--part", folder, "--records", str(options.records)])
    row = [
        f"{options.records:,}",
        f"{found['growth'] / 2**20:.1f} MiB",
        f"{found['waiting'] / 2**20:,.0f} MiB",
        f"{found['dropped']:.0f}",
        f"{found['seconds'] / options.records * 1e6:.1f}",
    ]
    head = [
        "records in an outage",
        "growth of anonymous memory",
        "waiting on disk",
        "dropped",
        "mean µs per call",
    ]
    facts = f"`{command_line(_MODULE)}`. {machine(('otel_stdlib', 'orjson'))}"
    text = f"{table(head, [row])}\n\n{facts}"
    print(text)
    if options.write:
        write_section(RESULTS, "outage_memory", f"## Memory in an outage\n\n{text}")


if __name__ == "__main__":
    main()
