"""What survives SIGKILL: ``python -m tests.proof.kill --rounds 1000``.

Writers log through ``dictConfig`` and acknowledge each record over a pipe after the log call has
returned. They are killed at a random moment, fork while they log, and share one rotating file; in
some rounds the process that recovers is killed too. Then every acknowledged record must be in the
file, once. Peers get the easier task: one file a process, no rotation, no forks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from benchmarks.report import RESULTS, command_line, machine, table, write_section
from tests.proof.loggers import LOGGERS
from tests.proof.rounds import Tally, run_round

_PACKAGES = ("otel_stdlib", "python-json-logger", "loguru", "opentelemetry-sdk", "python-logstash-async")
_COLUMNS = (
    "rounds",
    "killed_processes",
    "forks",
    "rotations",
    "accepted",
    "delivered",
    "doubled",
    "torn",
    "lost",
)


def result_table(tallies: dict[str, Tally]) -> str:
    """One row for each logger."""
    rows = [
        [LOGGERS[name].label, *(f"{getattr(tally, column):,}" for column in _COLUMNS)]
        for name, tally in tallies.items()
    ]
    return table(["logger", *(column.replace("_", " ") for column in _COLUMNS)], rows)


def main() -> int:
    """Run the rounds; 1 when this package lost, doubled or tore a record."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--peer-rounds", type=int, default=50)
    parser.add_argument("--loggers", nargs="+", choices=list(LOGGERS), default=list(LOGGERS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of the first round")
    parser.add_argument("--json", action="store_true", help="print the tallies as one JSON object")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    tallies: dict[str, Tally] = {}
    for name in options.loggers:
        tally = tallies[name] = Tally()
        rounds = options.rounds if name == "own" else options.peer_rounds
        for number in range(rounds):
            run_round(LOGGERS[name], options.seed + number, tally)
            if sys.stderr.isatty():
                print(f"{name}: {number + 1}/{rounds}, lost {tally.lost}", end="   \r", file=sys.stderr)
    if options.json:
        print(json.dumps({n: {**asdict(t), "lost": t.lost} for n, t in tallies.items()}))
    else:
        _print(tallies, options.write)
    own = tallies.get("own", Tally())
    return int(bool(own.lost or own.doubled or own.torn or own.stuck or own.faults))


def _print(tallies: dict[str, Tally], write: bool) -> None:
    facts = f"`{command_line('tests.proof.kill')}`. {machine(_PACKAGES)}"
    text = f"{result_table(tallies)}\n\n{facts}"
    print(text)
    # What a peer loses is its row; only a fault of this package needs to be looked into.
    for fault in tallies.get("own", Tally()).faults[:50]:
        print(fault, file=sys.stderr)
    if write:
        write_section(RESULTS, "kill", f"## SIGKILL\n\n{__doc__.partition(chr(10))[2].strip()}\n\n{text}")


if __name__ == "__main__":
    sys.exit(main())
