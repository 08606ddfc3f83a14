"""Spools born, retired and adopted at the same moment by several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.spool.ids import is_spool_id
from tests.faults.graveyard import GRAVEYARD, end
from tests.faults.harness import PREAMBLE, conserve, environment, records, run, settle, spools
from tests.support import eventually

pytestmark = pytest.mark.fault


def test_spools_born_and_retired_while_others_scan(tmp_path: Path) -> None:
    """Two hundred spools begin and end, half of them by death, while three processes scan without pause."""
    scanner = (
        GRAVEYARD
        + """
from otel_stdlib.spool.orphan import Scanner
root = open_root(Path(os.environ["OTEL_STDLIB_SPOOL_DIR"]))
scanner = Scanner(root, lambda: ())
print("ready", flush=True)
deadline = time.monotonic() + 60
out = open(os.path.join(FOLDER, f"found-{os.getpid()}.txt"), "w")
while not os.path.exists(os.path.join(FOLDER, "enough")) and time.monotonic() < deadline:
    for orphan in scanner.scan(time.monotonic()):
        # Whole: its manifest and its record are there, or its owner never told anybody of it.
        store = orphan.new_store()
        from otel_stdlib.spool.reader import Reader
        frames = Reader(store, orphan.seed).read(0, 10, 1 << 20).frames
        out.write(f"{orphan.spool_id} {orphan.manifest is not None} {len(frames)}\\n")
        orphan.remove()
out.close()
"""
    )
    writer = (
        GRAVEYARD
        + """
root = open_root(Path(os.environ["OTEL_STDLIB_SPOOL_DIR"]))
options = SpoolOptions(segment_bytes=1 << 16, max_bytes=1 << 18)
dead = []
for n in range(200):
    spool_id = new_spool_id()
    manifest = Manifest(spool_id, time.time_ns(), 1, b"{}", (Target(Identity("jsonl", "/x"), "x"),)).dump()
    directory = SpoolDirectory.create(root, spool_id, manifest)
    spool = Spool(spool_id, manifest, options, directory, Counters())
    assert spool.append(b"{" + b"x" * 100, 20, 9, 1) > 0
    # Alive: nobody may have touched it.
    assert sorted(directory.names()) == ["00000001.seg", "lock", "manifest.json"], directory.names()
    if n % 2:
        directory.remove()
    else:
        dead.append(spool_id)
        directory.release()
print(" ".join(dead))
"""
    )
    scanners = [
        subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + scanner],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        for process in scanners:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        dead = run(tmp_path, writer).stdout.split()
        eventually(lambda: spools(tmp_path) == [], 60)
        (tmp_path / "enough").touch()
        ends = [process.communicate(timeout=60) for process in scanners]
    finally:
        end(scanners)
    assert [process.returncode for process in scanners] == [0, 0, 0], ends
    found = [line.split() for path in tmp_path.glob("found-*.txt") for line in path.read_text().splitlines()]
    assert sorted(line[0] for line in found) == sorted(dead), "each dead one once, no living one"
    assert {tuple(line[1:]) for line in found} == {("True", "1")}
    assert [name for name in os.listdir(tmp_path / "spools") if not is_spool_id(name)] == []


def test_processes_that_start_log_and_end_in_a_loop(tmp_path: Path) -> None:
    """Short processes, every third killed, each scanning and adopting what others left: nothing twice."""
    script = """
configure()
for i in range(20): say(f"{os.getpid()}-{i}")
if int(sys.argv[1]) % 3 == 0:
    os.kill(os.getpid(), signal.SIGKILL)
"""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for n in range(30):
            running.append(
                subprocess.Popen([sys.executable, "-c", PREAMBLE + script, str(n)], env=environment(tmp_path))
            )
            if len(running) >= 4:
                running.pop(0).wait(60)
        for process in running:
            process.wait(60)
    finally:
        end(running)
    settle(tmp_path)
    conserve(tmp_path)
    assert len(records(tmp_path)) == 600
    assert spools(tmp_path) == []
