"""Programs under test in processes of their own, and the count at the end.

Each program logs bodies that it also acknowledges: it writes the body to ``accepted.txt`` by one
``os.write`` after the log call returned. Whatever then happens to it, the file must hold every
acknowledged body exactly once when a successor has run.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from otel_stdlib.spool.ids import is_spool_id

__all__ = ["PREAMBLE", "accepted", "bodies", "conserve", "environment", "records", "run", "settle", "spools"]

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import faulthandler, logging, logging.config, os, signal, sys, threading, time
faulthandler.register(signal.SIGUSR2, all_threads=True)  # what a program that hangs is asked for
FOLDER = os.environ["FAULT_FOLDER"]
_ack = os.open(os.path.join(FOLDER, "accepted.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def config(**spool):
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "file": {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": os.path.join(FOLDER, "out", "app.jsonl"),
                "max_bytes": int(os.environ.get("FAULT_MAX_BYTES", "0")),
                "backup_count": 1000,
            },
            "queue": {
                "()": "otel_stdlib.OTelQueueHandler",
                "handlers": ["file"],
                "spool": {"segment_bytes": 1 << 20, "max_bytes": 1 << 28, **spool},
                "shutdown_timeout": 60.0,  # the default is too short for a machine that stalls
            },
        },
        "root": {"level": "INFO", "handlers": ["queue"]},
    }

def configure(**spool):
    logging.config.dictConfig(config(**spool))

def queue_handler():
    return next(h for h in logging.getLogger().handlers if type(h).__name__ == "OTelQueueHandler")

log = logging.getLogger("app")

def say(body):
    log.info(body)
    os.write(_ack, (body + "\\n").encode())
"""

SUCCESSOR = """
configure()
queue_handler().start()
directory = os.environ["OTEL_STDLIB_SPOOL_DIR"]
deadline = time.monotonic() + 60
own = queue_handler().health()["spool_id"]
while time.monotonic() < deadline:
    left = [n for n in os.listdir(directory) if len(n) == 26 and n != own]
    if not left:
        break
    time.sleep(0.02)
else:
    print("LEFT", left, queue_handler().health())
    sys.exit(3)
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a program under test."""
    spool = folder / "spools"
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FAULT_FOLDER": str(folder),
        "OTEL_STDLIB_SPOOL_DIR": str(spool),
        "PYTHONWARNINGS": "error,ignore:This process:DeprecationWarning",
        **more,
    }


def run(
    folder: Path,
    script: str,
    *,
    timeout: float = 90,
    check: bool = True,
    arguments: tuple[str, ...] = (),
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run a program after the preamble until it ends.

    One that does not end in time fails the test with the stacks of all its processes.
    """
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, *arguments],
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s:\n{_stacks(process)}") from None
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _stacks(process: subprocess.Popen[str]) -> str:
    """What each process of a program that hangs is doing; ends them."""
    os.killpg(process.pid, signal.SIGUSR2)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=2)
    with contextlib.suppress(ProcessLookupError):  # the first signal may have ended them
        os.killpg(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    return f"{out[-2_000:]}\n{err[-20_000:]}"


def settle(folder: Path, **more: str) -> None:
    """Run a successor that delivers what dead processes left, and wait until nothing is left."""
    run(folder, SUCCESSOR, **more)


def spools(folder: Path) -> list[str]:
    """The spools that lie there now."""
    place = folder / "spools"
    return [name for name in os.listdir(place) if is_spool_id(name)] if place.exists() else []


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record in the file and its rotated predecessors; fails on a torn line."""
    found = []
    for path in sorted((folder / "out").glob("app.jsonl*")):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert data == b"" or data.endswith(b"\n"), f"{path} ends in a torn line"
        found += [json.loads(line) for line in data.splitlines()]
    return found


def bodies(folder: Path) -> Counter[str]:
    """How often each body is in the file."""
    return Counter(str(record["body"]) for record in records(folder))


def accepted(folder: Path) -> Counter[str]:
    """The bodies that were acknowledged."""
    path = folder / "accepted.txt"
    return Counter(path.read_text().split("\n")[:-1]) if path.exists() else Counter()


def conserve(folder: Path, *, in_flight: int = 0) -> None:
    """The oracle: each acknowledged body once, nothing twice, at most ``in_flight`` not acknowledged.

    A call that was cut by a kill between its return and its acknowledgement is in flight.
    """
    took, there = accepted(folder), bodies(folder)
    uids = Counter(record["attributes"]["log.record.uid"] for record in records(folder))
    assert [uid for uid, count in uids.items() if count > 1] == [], "a record was delivered twice"
    missing = took - there
    assert missing == Counter(), f"{missing.total()} acknowledged records are missing: {sorted(missing)[:5]}"
    extra = there - took
    assert extra.total() <= in_flight, f"{extra.total()} more than were acknowledged: {sorted(extra)[:5]}"
