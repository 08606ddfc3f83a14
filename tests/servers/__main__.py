"""What the servers need on a machine, and their builds; imports the standard library only.

python -m tests.servers programs     which programs are used; status 1 if one is missing
python -m tests.servers missing      the names of the missing ones, one a line (for .ci/install-servers)
python -m tests.servers build [...]  builds what is made of sources or jars, so that no test waits for it
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.servers.cache import Unavailable
from tests.servers.collector import build_collector, find_go
from tests.servers.elasticsearch import prepare_elasticsearch
from tests.servers.java import find_java, find_maven
from tests.servers.kafka import prepare_kafka
from tests.servers.pgbouncer import find_pgbouncer
from tests.servers.postgres import find_binaries

PROGRAMS: dict[str, Callable[[], Path]] = {
    "postgresql": find_binaries,
    "pgbouncer": find_pgbouncer,
    "maven": find_maven,
    "java": partial(find_java, 21),
    "go": find_go,
}
BUILDS: dict[str, Callable[[], Path]] = {
    "elasticsearch": prepare_elasticsearch,
    "kafka": prepare_kafka,
    "collector": build_collector,
}


def programs(*, only_missing: bool) -> int:
    """Prints where each program is, or why it is not; 1 if one is missing."""
    status = 0
    for name, find in PROGRAMS.items():
        try:
            line = f"{name}: {find()}"
        except Unavailable as error:
            status, line = 1, name if only_missing else f"{name}: missing: {error}"
            print(line)
        else:
            if not only_missing:
                print(line)
    return 0 if only_missing else status


def build(names: list[str]) -> int:
    """Builds those named; 1 if one could not be built."""
    status = 0
    for name in names:
        begun = time.monotonic()
        try:
            place = BUILDS[name]()
        except Unavailable as error:
            status = 1
            print(f"{name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: {place} ({time.monotonic() - begun:.1f} s)")
    return status


def main(arguments: list[str]) -> int:
    """The command's exit status; 2 for wrong usage."""
    match arguments:
        case ["programs"]:
            return programs(only_missing=False)
        case ["missing"]:
            return programs(only_missing=True)
        case ["build", *names] if BUILDS.keys() >= set(names):
            return build(names or list(BUILDS))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
