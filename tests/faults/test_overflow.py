"""A destination that takes nothing: what the cap costs is counted, and the counts add up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import accepted, run

pytestmark = pytest.mark.fault

STOPPED = """
import json, otel_stdlib
gate = threading.Event()
got = []
class Stopped(logging.Handler):
    # A handler of anybody's that hangs, then goes on; not in emit, where it would hold its lock.
    def handle(self, record):
        gate.wait(60)
        got.append(record.getMessage())
def attach(**spool):
    handler = otel_stdlib.OTelQueueHandler(
        handlers=[Stopped()],
        spool={"segment_bytes": 1 << 16, "max_bytes": 1 << 18, **spool},
        shutdown_timeout=30,
    )
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel("DEBUG")
    return handler
def keep_pace(handler):
    # A keeper that the machine holds up must not find the burst's allowance used up: that is another loss.
    spool = handler.pipeline._generation.spool
    while spool.used_bytes() > spool.cap:
        time.sleep(0.001)
def dropped(handler):
    return handler.health()["dropped"]
def total(handler):
    return sum(sum(by.values()) for by in dropped(handler).values())
def finish(handler, offered):
    # Let the destination go on, wait for what is left, and report.
    gate.set()
    assert handler.flush(60) is True
    lost = dropped(handler)
    report = {"offered": offered, "got": got, "lost": lost}
    with open(os.path.join(FOLDER, "report.json"), "w") as file:
        json.dump(report, file)
PAD = "x" * 400
"""


def overflow(folder: Path, script: str) -> tuple[dict[str, Any], str]:
    """Run a script that ends with ``finish``; its report and what stood on stderr."""
    done = run(folder, STOPPED + script)
    report = json.loads((folder / "report.json").read_text())
    lost = sum(sum(by.values()) for by in report["lost"].values())
    names = Counter(body.split()[0] for body in report["got"])
    assert [] == [name for name, count in names.items() if count > 1]
    assert report["offered"] == len(report["got"]) + lost, report["lost"]
    return report, done.stderr


def test_shed_refuses_the_unimportant_first(tmp_path: Path) -> None:
    """Near the cap records below WARNING are refused, and errors get in until the oldest segment goes."""
    report, stderr = overflow(
        tmp_path,
        """
handler = attach(overflow="shed")
offered = 0
deadline = time.monotonic() + 30
while "shed" not in dropped(handler):
    log.info("i-%d %s", offered, PAD); offered += 1
    time.sleep(0.0005)
    assert time.monotonic() < deadline, handler.health()
before = dropped(handler)
for n in range(50):
    log.error("e-%d", n); offered += 1
assert "ERROR" not in dropped(handler).get("shed", {})
for n in range(100):
    log.debug("d-%d", n); offered += 1
time.sleep(0)
finish(handler, offered)
""",
    )
    assert set(report["lost"]["shed"]) <= {"INFO", "DEBUG"}
    assert report["lost"]["shed"]["INFO"] >= 1
    assert sum(body.startswith("e-") for body in report["got"]) == 50
    assert "refused because the spool is nearly full" in stderr
    assert stderr.count("nearly full") == 1, "said once a minute at most"


def test_drop_oldest_keeps_the_newest(tmp_path: Path) -> None:
    """The oldest whole segments go, counted by severity; the last records are all there, in order."""
    report, stderr = overflow(
        tmp_path,
        """
handler = attach(overflow="drop_oldest")
offered = 0
deadline = time.monotonic() + 30
while sum(dropped(handler).get("evicted", {}).values()) < 300:
    (log.warning if offered % 3 else log.info)("r-%d %s", offered, PAD); offered += 1
    keep_pace(handler)
    assert time.monotonic() < deadline, handler.health()
finish(handler, offered)
""",
    )
    assert set(report["lost"]) == {"evicted"}
    assert report["lost"]["evicted"]["WARN"] > report["lost"]["evicted"]["INFO"] > 0
    numbers = [int(body.split()[0][2:]) for body in report["got"]]
    assert numbers == sorted(numbers)
    assert numbers[-1] == report["offered"] - 1
    assert "evicted because the spool is full" in stderr


def test_a_burst_faster_than_the_background_is_counted_too(tmp_path: Path) -> None:
    """Four threads at full speed against a tiny cap: offered = delivered + counted, to the record."""
    for overflow_way in ("shed", "drop_oldest"):
        folder = tmp_path / overflow_way
        folder.mkdir()
        report, _ = overflow(
            folder,
            f"handler = attach(overflow={overflow_way!r})"
            + """
def storm(n):
    for i in range(3000):
        (log.error if i % 10 == 0 else log.info)("r-%d-%d %s", n, i, PAD)
threads = [threading.Thread(target=storm, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
finish(handler, 12000)
""",
        )
        assert report["lost"]


def test_block_waits_for_room_and_loses_nothing(tmp_path: Path) -> None:
    """Log calls wait while the spool is full and go on when the destination does."""
    report, stderr = overflow(
        tmp_path,
        """
handler = attach(overflow="block", block_timeout=30)
done = threading.Event()
offered = 0
def storm():
    global offered
    for i in range(3000):
        log.info("r-%d %s", i, PAD); offered += 1
    done.set()
thread = threading.Thread(target=storm)
thread.start()
# It stops somewhere: no progress between two looks while the destination hangs.
deadline = time.monotonic() + 30
seen = -1
while True:
    time.sleep(0.5)
    if offered == seen and offered:
        break
    seen = offered
    assert time.monotonic() < deadline
assert not done.is_set()
gate.set()
thread.join()
finish(handler, offered)
""",
    )
    assert report["lost"] == {}
    assert len(report["got"]) == 3000
    assert "records were" not in stderr


def test_block_gives_up_after_its_timeout(tmp_path: Path) -> None:
    """A destination that stays away costs each call its timeout, and the record is counted with that reason."""
    report, stderr = overflow(
        tmp_path,
        """
handler = attach(overflow="block", block_timeout=0.1)
offered = 0
deadline = time.monotonic() + 60
while len(dropped(handler).get("block_timeout", {})) < 2 or total(handler) < 5:
    (log.error if offered % 2 else log.info)("r-%d %s", offered, PAD); offered += 1
    assert time.monotonic() < deadline, handler.health()
finish(handler, offered)
""",
    )
    assert report["lost"]["block_timeout"].keys() == {"INFO", "ERROR"}
    assert "refused after waiting for room" in stderr


def test_a_record_larger_than_half_a_segment_is_counted(tmp_path: Path) -> None:
    """A record that cannot fit is refused with its own reason; those beside it are delivered."""
    report, _ = overflow(
        tmp_path,
        """
handler = attach()
log.info("r-0 before")
log.critical("r-1 " + "y" * (60 << 10), extra={f"k{n}": "z" * 4000 for n in range(20)})
log.info("r-2 after")
finish(handler, 3)
""",
    )
    assert [body.split()[0] for body in report["got"]] == ["r-0", "r-2"]
    assert report["lost"] == {"too_large": {"FATAL": 1}}


def test_losses_survive_into_the_report_of_a_destination_that_comes_back(tmp_path: Path) -> None:
    """After the outage new records flow again, the floor falls, and the counts stand still."""
    report, _ = overflow(
        tmp_path,
        """
handler = attach(overflow="shed")
offered = 0
deadline = time.monotonic() + 30
while "shed" not in dropped(handler):
    log.info("i-%d %s", offered, PAD); offered += 1
    time.sleep(0.0005)
    assert time.monotonic() < deadline
gate.set()
assert handler.flush(60) is True
# The keeper lowers the floor with its next round.
while True:
    before = total(handler)
    log.info("probe-%d", offered); offered += 1
    if total(handler) == before:
        break
    time.sleep(0.01)
    assert time.monotonic() < deadline
lost = total(handler)
for n in range(100):
    log.info("after-%d", n); offered += 1
assert total(handler) == lost
finish(handler, offered)
""",
    )
    assert sum(body.startswith("after-") for body in report["got"]) == 100
    assert accepted(tmp_path).total() == 0
