"""What the benchmarks of this package alone share: its pipeline, and the memory of a process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT
from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler

__all__ = ["anonymous_bytes", "log_records", "pipeline", "run_part", "spool_bytes"]


def pipeline(output: Path, spool: Path, **options: Any) -> OTelQueueHandler:
    """A queue handler on the root logger with a JSONL file behind it."""
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(filename=str(output))],
        spool={"directory": str(spool), "max_bytes": 8 << 30, **options},
        shutdown_timeout=120.0,
    )
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    return handler


def log_records(count: int) -> None:
    """The call that every benchmark makes, ``count`` times."""
    log = logging.getLogger("shop.orders")
    for number in range(count):
        log.info("order %s placed", number, extra={"order_id": number, "customer": "c-1017", "amount": 12.5})


def anonymous_bytes() -> int:
    """This process's anonymous resident memory: ``RssAnon`` of ``/proc/self/status``."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no RssAnon")


def spool_bytes(spool: Path) -> int:
    """The bytes of the segment files below a folder."""
    return sum(path.stat().st_size for path in spool.rglob("*.seg"))


def run_part(module: str, arguments: Sequence[str]) -> dict[str, float]:
    """Run one part of a benchmark in a process of its own; the JSON object it prints last."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
