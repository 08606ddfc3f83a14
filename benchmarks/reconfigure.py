"""How long others wait while logging is reconfigured: ``python -m benchmarks.reconfigure [--write]``.

Four threads log and ask for loggers, with a pause of a millisecond between. Another thread shuts
logging down, replaces the configuration, and takes the handler off: twice a second with a destination
that hangs, so that every generation stays until its deadline, and twenty times a second with a JSONL
file. The table shows the longest calls of the four; the rows without changes show what the GIL and the
machine alone cost.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import logging.config
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from benchmarks.own import run_part
from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler

__all__ = ["main"]

_THREADS = 4
_SECONDS = 10.0
#: Seconds between two changes, by destination.
_PAUSES = {"hanging": 0.5, "file": 0.05}


class Hanging(logging.Handler):
    """A destination that takes half a second for each record."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Hang."""
        time.sleep(0.5)
        return True


def _handler(folder: str, kind: str) -> OTelQueueHandler:
    behind = Hanging() if kind == "hanging" else JSONLFileHandler(filename=f"{folder}/out.jsonl")
    return OTelQueueHandler(handlers=[behind], spool={"directory": f"{folder}/spool"}, shutdown_timeout=0.1)


def _configuration(folder: str, kind: str) -> dict[str, object]:
    hanging = {"()": Hanging}
    file = {"()": JSONLFileHandler, "filename": f"{folder}/out.jsonl"}
    queue = {
        "()": OTelQueueHandler,
        "handlers": ["behind"],
        "spool": {"directory": f"{folder}/spool"},
        "shutdown_timeout": 0.1,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"behind": hanging if kind == "hanging" else file, "queue": queue},
        "root": {"level": "INFO", "handlers": ["queue"]},
    }


def _changes(folder: str, kind: str) -> dict[str, Callable[[], None]]:
    root = logging.getLogger()

    def swap() -> None:
        former = root.handlers[0]
        root.addHandler(_handler(folder, kind))
        root.removeHandler(former)
        former.close()

    return {
        "none": lambda: None,
        "logging.shutdown": logging.shutdown,
        "basicConfig(force=True)": lambda: logging.basicConfig(
            force=True, handlers=[_handler(folder, kind)], level="INFO"
        ),
        "dictConfig": lambda: logging.config.dictConfig(_configuration(folder, kind)),
        "removeHandler and close": swap,
    }


def part(change: str, kind: str) -> None:
    """One row, in a process of its own."""
    stop = threading.Event()
    calls: list[float] = []
    lookups: list[float] = []

    def others(number: int) -> None:
        log = logging.getLogger(f"shop.{number}")
        while not stop.is_set():
            begin = time.perf_counter()
            log.info("order %s placed", number, extra={"customer": "c-1017"})
            middle = time.perf_counter()
            logging.getLogger(f"shop.{number}")
            lookups.append(time.perf_counter() - middle)
            calls.append(middle - begin)
            time.sleep(0.001)

    with tempfile.TemporaryDirectory(prefix="otel-stdlib-bench-", ignore_cleanup_errors=True) as folder:
        logging.basicConfig(handlers=[_handler(folder, kind)], level="INFO")
        logging.getLogger().info("the spool is made")
        threads = [threading.Thread(target=others, args=(number,)) for number in range(_THREADS)]
        for thread in threads:
            thread.start()
        act, changes, end = _changes(folder, kind)[change], 0, time.monotonic() + _SECONDS
        while time.monotonic() < end:
            act()
            changes += 1
            time.sleep(_PAUSES[kind])
        stop.set()
        for thread in threads:
            thread.join()
    print(
        json.dumps(
            {
                "changes": changes,
                "calls": len(calls),
                "p99": statistics.quantiles(calls, n=100)[-1] * 1e3,
                "call": max(calls) * 1e3,
                "lookup": max(lookups) * 1e3,
            }
        ),
        flush=True,
    )

    os._exit(0)  # what the hanging destination has not taken is of no interest here


def main() -> None:
    """Measure, print, and with ``--write`` update the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconfigure", description=__doc__)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    if options.part is not None:
        part(*options.part)
        return
    rows = []
    for kind, change in itertools.product(_PAUSES, _changes("unused", "file")):
        found = run_part("benchmarks.reconfigure", ["--part", change, kind])
        rows.append(
            [
                kind,
                change,
                f"{found['changes']:,.0f}",
                f"{found['calls']:,.0f}",
                f"{found['p99']:.2f}",
                f"{found['call']:.1f}",
                f"{found['lookup']:.1f}",
            ]
        )
    head = [
        "destination",
        "change",
        "changes",
        "log calls",
        "log call, p99 ms",
        "log call, max ms",
        "getLogger, max ms",
    ]
    text = table(head, rows)
    facts = (
        f"`{command_line('benchmarks.reconfigure')}`: ten seconds each. {machine(('otel_stdlib', 'orjson'))}"
    )
    print(f"{text}\n\n{facts}", file=sys.stdout)
    if options.write:
        write_section(RESULTS, "reconfigure", f"## While logging is reconfigured\n\n{text}\n\n{facts}")


if __name__ == "__main__":
    main()
