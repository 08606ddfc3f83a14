"""Spools of dead processes: found, delivered beside live records, kept when nobody here can take them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.graveyard import bury, end
from tests.faults.harness import PREAMBLE, conserve, environment, records, run, settle, spools

pytestmark = pytest.mark.fault


ALIVE = """
import json
configure()
text = os.path.join(FOLDER, "out", "app.jsonl")
left = lambda: [n for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"]) if len(n) == 26]
position, n, sizes = 0, 0, []
deadline = time.monotonic() + float(os.environ["FAULT_PATIENCE"])
while True:
    say(f"live-{n}")
    # What was in the file by then: its own record comes soon behind that.
    sizes.append(os.path.getsize(text) if os.path.exists(text) else 0)
    # Its own record is in the file soon, whatever backlog is being adopted.
    needle = f'"body":"live-{n}"'.encode()
    while True:
        try:
            with open(text, "rb") as file:
                file.seek(max(0, position - 200))
                tail = file.read()
        except FileNotFoundError:
            tail = b""
        if needle in tail:
            break
        assert time.monotonic() < deadline, ("not visible", n, queue_handler().health())
        time.sleep(0.005)
    position += max(0, len(tail) - 200)
    n += 1
    if len(left()) <= 1:
        break
    assert time.monotonic() < deadline, (len(left()), queue_handler().health())
    time.sleep(0.02)
print(json.dumps([sizes, queue_handler().health()["orphans"]["adopted"]]))
"""


def dead_before_live(text: bytes, sizes: list[int]) -> list[int]:
    """How many records of the dead were written between each live one's log call and its line."""
    offset, dead, live = 0, list[int](), dict[int, int]()
    for line in text.splitlines(keepends=True):
        kind, _, number = str(json.loads(line)["body"]).partition("-")
        if kind == "dead":
            dead.append(offset)
        else:
            live[int(number)] = offset
        offset += len(line)
    return [sum(size <= at < live[number] for at in dead) for number, size in enumerate(sizes)]


def adopt_many(folder: Path, count: int, patience: float) -> None:
    """Adopt many spools while a live process logs; none of its records waits for the backlog."""
    bury(folder, count, 5)
    done = run(folder, ALIVE, timeout=patience + 30, FAULT_PATIENCE=str(patience))
    conserve(folder)
    sizes, adopted = json.loads(done.stdout)
    assert adopted == count
    overtaken = dead_before_live((folder / "out" / "app.jsonl").read_bytes(), sizes)
    # Live records come first: the batches of two spools may have been on their way already.
    assert max(overtaken) <= 4 * 5
    resources = {
        r["attributes"]["log.record.uid"].partition("-")[0]: r["resource"]["service.instance.id"]
        for r in records(folder)
        if str(r["body"]).startswith("dead-")
    }
    assert set(resources.values()) == {f"dead-{n}" for n in range(count)}
    for record in records(folder):
        if str(record["body"]).startswith("dead-"):
            assert record["resource"]["service.instance.id"] == str(record["body"]).rpartition("-")[0]


def test_three_hundred_dead_processes_do_not_stall_a_live_one(tmp_path: Path) -> None:
    """All are delivered, with their own resource, while live records go on being visible."""
    adopt_many(tmp_path, 300, 60)


def test_a_thousand_dead_processes(tmp_path: Path) -> None:
    """The same with a thousand."""
    adopt_many(tmp_path, 1000, 90)


def test_two_processes_adopt_the_same_folder_at_once(tmp_path: Path) -> None:
    """The lock decides about each spool: everything once."""
    bury(tmp_path, 60, 20)
    script = """
configure()
queue_handler().start()
directory = os.environ["OTEL_STDLIB_SPOOL_DIR"]
print("ready", flush=True)
sys.stdin.read()
deadline = time.monotonic() + 60
mine = queue_handler().health()["spool_id"]
while queue_handler().health()["orphans"]["serving"] or len([n for n in os.listdir(directory) if len(n) == 26]) > 2:
    time.sleep(0.01)
    assert time.monotonic() < deadline, queue_handler().health()
print(queue_handler().health()["orphans"]["adopted"], flush=True)
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + script],
            env=environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = [process.communicate("go", timeout=80)[0] for process in both]
    finally:
        end(both)
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(answer) for answer in answers) == 60
    settle(tmp_path)
    conserve(tmp_path)
    assert spools(tmp_path) == []


def test_a_destination_that_no_longer_exists_is_kept_and_reported(tmp_path: Path) -> None:
    """Records for another file wait, are named in the status, and go when that file is configured again."""
    elsewhere = str(tmp_path / "out" / "former.jsonl")
    bury(tmp_path, 2, 3, f", ('jsonl', {elsewhere!r}, 'former')")
    bury(tmp_path, 1, 3)
    (tmp_path / "accepted.txt").unlink()
    done = run(
        tmp_path,
        """
import json
configure()
say("live")
deadline = time.monotonic() + 30
def done():
    orphans = queue_handler().health()["orphans"]
    return len(orphans["unclaimed"]) == 2 and orphans["adopted"] == 1 and not orphans["serving"]
while not done():
    time.sleep(0.01)
    assert time.monotonic() < deadline, queue_handler().health()
print(json.dumps(queue_handler().health()["orphans"]["unclaimed"]))
""",
    )
    unclaimed = json.loads(done.stdout)
    assert [entry["targets"] for entry in unclaimed] == [["former"], ["former"]]
    assert all(entry["bytes"] > 0 and entry["manifest"] for entry in unclaimed)
    assert sorted(entry["spool_id"] for entry in unclaimed) == sorted(spools(tmp_path))
    assert Counter(r["body"] for r in records(tmp_path))["live"] == 1
    run(
        tmp_path,
        """
changed = config()
changed["handlers"]["file"]["filename"] = os.path.join(FOLDER, "out", "former.jsonl")
logging.config.dictConfig(changed)
queue_handler().start()
deadline = time.monotonic() + 30
while len([n for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"]) if len(n) == 26]) > 1:
    time.sleep(0.01)
    assert time.monotonic() < deadline, queue_handler().health()
""",
    )
    lines = (tmp_path / "out" / "former.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["body"] for line in lines) == sorted(
        f"dead-{n}-{i}" for n in range(2) for i in range(3)
    )
    assert spools(tmp_path) == []
