"""Recovery after a kill: ``python -m benchmarks.recovery [--write]``.

A process logs while its file cannot be written and is killed when its spool holds 1 GB. Another
process then delivers it. The ordinary rate is that of a burst through the same pipeline, from the
first log call until it is closed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.own import log_records, pipeline, run_part, spool_bytes
from benchmarks.report import RESULTS, ROOT, command_line, machine, table, write_section

_MODULE = "benchmarks.recovery"
_DEADLINE = 300.0


def fill(folder: Path, size: int) -> dict[str, float]:
    """Log into an outage until the spool has ``size`` bytes, then die by SIGKILL."""
    (folder / "out").write_bytes(b"")
    pipeline(folder / "out" / "out.jsonl", folder / "spool")
    while spool_bytes(folder / "spool") < size:
        log_records(20_000)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


def recover(folder: Path, size: int) -> dict[str, float]:
    """Deliver what the dead process left; seconds until the first line and until the end."""
    output = folder / "out" / "out.jsonl"
    begin = time.perf_counter()
    handler = pipeline(output, folder / "spool")
    handler.start()
    deadline = begin + _DEADLINE
    while not (output.exists() and output.stat().st_size) and time.perf_counter() < deadline:
        time.sleep(0.002)
    first = time.perf_counter() - begin
    # The spool of this process remains, the dead one's folder goes when all of it is delivered.
    while _spools(folder / "spool") > 1 and time.perf_counter() < deadline:
        time.sleep(0.01)
    seconds = time.perf_counter() - begin
    handler.stop(60.0)
    return {"first": first, "seconds": seconds, "records": _lines(output)}


def ordinary(folder: Path, size: int) -> dict[str, float]:
    """The rate of a burst through a pipeline without an outage."""
    records = 400_000
    handler = pipeline(folder / "out.jsonl", folder / "spool")
    log_records(5_000)
    handler.flush(60.0)
    begin = time.perf_counter()
    log_records(records)
    handler.stop(60.0)
    return {"rate": records / (time.perf_counter() - begin)}


def _spools(root: Path) -> int:
    return sum(len(name) == 26 for name in os.listdir(root)) if root.is_dir() else 0


def _lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b""))


_PARTS = {"fill": fill, "recover": recover, "ordinary": ordinary}


def main() -> None:
    """Measure each part in a process of its own, and print."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--bytes", type=int, default=1 << 30, help="size of the spool that is left")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_PARTS[options.part[0]](Path(options.part[1]), options.bytes)))
        return
    size = ["--bytes", str(options.bytes)]
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        died = subprocess.run(
            [sys.executable, "-m", _MODULE, "--part", "fill", folder, *size], cwd=ROOT, check=False
        )
        if died.returncode != -signal.SIGKILL:
            raise SystemExit(f"the process that fills the spool ended with status {died.returncode}")
        waiting = spool_bytes(Path(folder) / "spool")
        (Path(folder) / "out").unlink()
        (Path(folder) / "out").mkdir()
        found = run_part(_MODULE, ["--part", "recover", folder, *size])
    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-") as folder:
        usual = run_part(_MODULE, ["--part", "ordinary", folder, *size])["rate"]
    rate = found["records"] / found["seconds"]
    row = [
        f"{waiting / 2**20:,.0f} MiB",
        f"{found['records']:,.0f}",
        f"{found['first']:.2f}",
        f"{rate:,.0f}",
        f"{usual:,.0f}",
        f"{rate / usual:.2f}",
    ]
    head = ["spool left", "records", "delivery began after, s", "records/s", "ordinary records/s", "ratio"]
    facts = f"`{command_line(_MODULE)}`. {machine(('otel_stdlib', 'orjson'))}"
    text = f"{table(head, [row])}\n\n{facts}"
    print(text)
    if options.write:
        write_section(RESULTS, "recovery", f"## Recovery\n\n{text}")


if __name__ == "__main__":
    main()
