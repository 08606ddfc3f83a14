"""One round of the proof: start writers, kill them, let another process recover, count."""

from __future__ import annotations

import json
import os
import random
import re
import select
import shutil
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.proof.loggers import Adapter, output_files
from tests.proof.writer import ACK, Plan, in_child, write

__all__ = ["Tally", "make_plan", "run_round"]

#: Seconds that a recovering process may take.
RECOVERY_DEADLINE = 60.0
_RECORD = re.compile(rb"w=(\d+) n=(\d+) ")
_UID = re.compile(rb'"log\.record\.uid":"([^"]+)"')


@dataclass
class Tally:
    """The count of all rounds. Records, unless the name says otherwise."""

    rounds: int = 0
    killed_processes: int = 0
    forks: int = 0
    #: Files that were rotated away.
    rotations: int = 0
    accepted: int = 0
    #: Accepted records that are in the output.
    delivered: int = 0
    #: Lines beyond the first of a record, accepted or not.
    doubled: int = 0
    #: Lines that are no JSON object.
    torn: int = 0
    #: Recovering processes that did not end by themselves.
    stuck: int = 0
    #: What went wrong, with the seed of its round.
    faults: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Accepted records that are nowhere."""
        return self.accepted - self.delivered


def make_plan(seed: int, adapter: Adapter) -> Plan:
    """What happens in the round of ``seed``."""
    choose = random.Random(seed)
    shared = adapter.shared
    return Plan(
        writers=choose.randint(1, 4),
        threads=choose.choice((1, 1, 2, 3)),
        fork_after=choose.randint(1, 400) if choose.random() < 0.5 and shared else None,
        padding=choose.choice((0, 50, 300, 2_000)),
        max_bytes=choose.choice((0, 20_000, 200_000, 2_000_000)) if shared else 0,
        kill_after=choose.uniform(0.0, adapter.kill_within),
        kill_successor_after=choose.uniform(0.0, 0.1) if choose.random() < 0.3 else None,
    )


def run_round(adapter: Adapter, seed: int, tally: Tally) -> None:
    """One round, added to ``tally``. What happens follows from ``seed``, when it happens from the machine."""
    plan = make_plan(seed, adapter)
    folder = Path(tempfile.mkdtemp(prefix="otel-stdlib-proof-"))
    before = len(tally.faults)
    try:
        accepted = _write_and_kill(adapter, folder, plan, seed, tally)
        _recover(adapter, folder, plan, tally)
        _count(folder, accepted, tally, adapter.shared)
    finally:
        tally.rounds += 1
        said = folder / "stderr.txt"
        if len(tally.faults) > before and said.exists():
            tally.faults.append(said.read_text(errors="replace")[:2000])
        tally.faults[before:] = [f"seed {seed}: {fault}" for fault in tally.faults[before:]]
        shutil.rmtree(folder, ignore_errors=True)


def _write_and_kill(
    adapter: Adapter, folder: Path, plan: Plan, seed: int, tally: Tally
) -> set[tuple[int, int]]:
    read_end, write_end = os.pipe()
    groups = [
        in_child(partial(write, adapter, folder, plan, number, write_end), folder / "stderr.txt")
        for number in range(plan.writers)
    ]
    os.close(write_end)
    acks = bytearray()
    # The clock of the kill starts when the first record is accepted, so that a slow start is no empty round.
    _read_until(read_end, acks, time.monotonic() + 60.0, enough=1)
    _read_until(read_end, acks, time.monotonic() + plan.kill_after)
    random.Random(seed + 1).shuffle(groups)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            # Killed between its fork and its setsid: it has logged nothing.
            os.kill(group, signal.SIGKILL)
    for group in groups:
        os.waitpid(group, 0)
    _read_until(read_end, acks, time.monotonic() + 60.0)
    os.close(read_end)
    whole = len(acks) - len(acks) % ACK.size
    accepted = set(ACK.iter_unpack(bytes(acks[:whole])))
    tally.killed_processes += plan.writers
    tally.forks += len({writer for writer, _ in accepted if writer % 16 >= 8})
    tally.accepted += len(accepted)
    if not accepted:
        tally.faults.append("no writer logged anything")
    return accepted


def _read_until(pipe: int, into: bytearray, deadline: float, enough: int | None = None) -> None:
    """Read until the time, the end of the pipe, or ``enough`` bytes."""
    while (left := deadline - time.monotonic()) > 0 and (enough is None or len(into) < enough):
        if select.select([pipe], [], [], left)[0]:
            data = os.read(pipe, 1 << 20)
            if not data:
                return
            into += data


def _recover(adapter: Adapter, folder: Path, plan: Plan, tally: Tally) -> None:
    work = partial(adapter.recover, folder)
    if plan.kill_successor_after is not None:
        pid = in_child(work, folder / "stderr.txt")
        time.sleep(plan.kill_successor_after)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        tally.killed_processes += 1
    pid = in_child(work, folder / "stderr.txt")
    deadline = time.monotonic() + RECOVERY_DEADLINE
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if status:
                tally.faults.append(f"the recovering process ended with status {status}")
            return
        time.sleep(0.005)
    tally.stuck += 1
    tally.faults.append("the recovering process did not end")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _count(folder: Path, accepted: set[tuple[int, int]], tally: Tally, shared: bool) -> None:
    found: Counter[tuple[int, int]] = Counter()
    uids: Counter[bytes] = Counter()
    torn: list[str] = []
    files = list(output_files(folder))
    for path in files:
        for line in path.read_bytes().splitlines():
            try:
                json.loads(line)
            except ValueError:
                torn.append(f"{path.name}: {line[:100]!r}")
                continue
            if record := _RECORD.search(line):
                found[int(record[1]), int(record[2])] += 1
            if uid := _UID.search(line):
                uids[uid[1]] += 1
    lost = accepted - found.keys()
    doubled = sum(found.values()) - len(found)
    tally.rotations += max(0, len(files) - 1) if shared else 0
    tally.delivered += len(accepted) - len(lost)
    tally.doubled += doubled
    tally.torn += len(torn)
    if torn:
        tally.faults.append(f"{len(torn)} torn lines, for example {torn[:2]}")
    if lost:
        tally.faults.append(f"{len(lost)} records lost, for example {sorted(lost)[:3]}")
    if doubled:
        tally.faults.append(
            f"{doubled} records doubled, for example {[r for r, n in found.items() if n > 1][:3]}"
        )
    if twice := [uid for uid, n in uids.items() if n > 1]:
        tally.faults.append(f"{len(twice)} uids stand twice, for example {twice[:3]}")
