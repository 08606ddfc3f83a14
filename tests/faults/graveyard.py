"""Spools as dead processes leave them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.harness import run

#: Makes spools as processes leave them that were killed: directories with records and a free lock.
GRAVEYARD = """
import json
from otel_stdlib.facts.counters import Counters
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.manifest import Manifest, Target
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.place import open_root
from otel_stdlib.spool.writer import Spool
from pathlib import Path

def bury(count, each, target=("jsonl", os.path.join(FOLDER, "out", "app.jsonl"), "file")):
    root = open_root(Path(os.environ["OTEL_STDLIB_SPOOL_DIR"]))
    options = SpoolOptions(segment_bytes=1 << 16, max_bytes=1 << 18)
    for n in range(count):
        spool_id = new_spool_id()
        resource = json.dumps({"service.name": "dead", "service.instance.id": f"dead-{n}"}).encode()
        manifest = Manifest(spool_id, time.time_ns(), 1, resource, (Target(Identity(*target[:2]), target[2]),)).dump()
        directory = SpoolDirectory.create(root, spool_id, manifest)
        spool = Spool(spool_id, manifest, options, directory, Counters())
        for i in range(each):
            body = f"dead-{n}-{i}"
            line = (
                '{"timestamp":"2024-01-01T00:00:00.000000Z","severity_text":"INFO","severity_number":9,"body":"'
                + body + '","scope":{"name":"app"},"attributes":{'
            )
            assert spool.append(line.encode(), 20, 9, time.time_ns()) > 0
            os.write(_ack, (body + "\\n").encode())
        directory.release()
"""


def end(processes: Sequence[subprocess.Popen[Any]]) -> None:
    """Kill what still runs, and close its pipes."""
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def bury(folder: Path, count: int, each: int, more: str = "") -> None:
    """Leave spools of dead processes."""
    run(folder, GRAVEYARD + f"bury({count}, {each}{more})")
