from __future__ import annotations

import gzip
import json
import logging.handlers
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers.jsonl import JSONLDestination, JSONLOptions
from otel_stdlib.handlers.jsonl.rotate import Backups
from otel_stdlib.handlers.jsonl.schedule import Schedule
from tests.handlers.jsonl.support import batch, destination, expected, files, lines, uids


def test_a_file_never_grows_past_its_limit(tmp_path: Path) -> None:
    """A batch is cut at the lines' ends; order goes from the highest number down to the target."""
    target = tmp_path / "app.jsonl"
    file = destination(target, max_bytes=1000, backup_count=99)
    file.deliver(batch(0, 100))
    file.deliver(batch(100, 1))
    assert expected([batch(0, 101)]) == uids(target)
    sizes = [path.stat().st_size for path in files(target)]
    assert max(sizes) <= 1000
    ordered = [*sorted(files(target), key=lambda p: -int(p.suffix[1:]) if p != target else 0)]
    bodies = [int(line["body"]) for path in ordered for line in lines_of(path)]
    assert list(range(101)) == bodies
    file.close()


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of this one file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_longer_than_the_limit_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Only a single line ever exceeds it."""
    target = tmp_path / "app.jsonl"
    file = destination(target, max_bytes=300, backup_count=99)
    file.deliver(batch(0, 2))
    file.deliver(batch(2, 2, size=500))
    file.deliver(batch(4, 1))
    assert expected([batch(0, 5)]) == uids(target)
    assert all(len(lines_of(p)) == 1 for p in files(target) if p.stat().st_size > 300)
    file.close()


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    """The oldest go first."""
    target = tmp_path / "app.jsonl"
    file = destination(target, max_bytes=200, backup_count=3)
    for number in range(20):
        file.deliver(batch(number, 1))
    assert {"app.jsonl", "app.jsonl.1", "app.jsonl.2", "app.jsonl.3"} == {p.name for p in files(target)}
    assert max(int(line["body"]) for line in lines(target)) == 19
    file.close()


def test_a_gap_is_filled(tmp_path: Path) -> None:
    """Numbers above a gap, which a kill or a user left, do not move."""
    target = tmp_path / "app.jsonl"
    for name in ("app.jsonl", "app.jsonl.1", "app.jsonl.2.gz", "app.jsonl.4"):
        (tmp_path / name).write_text(name)
    Backups(str(target), 5).shift()
    left = {path.name: path.read_text() for path in files(target)}
    want = {
        "app.jsonl.1": "app.jsonl",
        "app.jsonl.2": "app.jsonl.1",
        "app.jsonl.3.gz": "app.jsonl.2.gz",
        "app.jsonl.4": "app.jsonl.4",
    }
    assert want == left


def test_rotated_files_are_compressed(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """In the background, readable by gzip, with the mode of the others."""
    target = tmp_path / "app.jsonl"
    file = destination(target, max_bytes=2000, backup_count=99, compress="gzip")
    file.deliver(batch(0, 100))
    rotated = file.counters.get("rotated")
    assert rotated > 3
    eventually(lambda: file.counters.get("compressed") == rotated)
    file.close()
    packed = [path for path in files(target) if path.suffix == ".gz"]
    assert rotated == len(packed)
    assert {0o600} == {path.stat().st_mode & 0o777 for path in packed}
    assert all(gzip.decompress(path.read_bytes()).endswith(b"\n") for path in packed)
    assert expected([batch(0, 100)]) == uids(target)


def test_what_another_process_left_is_compressed_at_open(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """Plain rotated files and unfinished results of a process that died."""
    target = tmp_path / "app.jsonl"
    file = destination(target, max_bytes=1000, backup_count=99)
    file.deliver(batch(0, 30))
    file.close()
    (tmp_path / ".app.jsonl.abc.gz-new").write_bytes(b"half")
    file = destination(target, max_bytes=1000, backup_count=99, compress=True)
    eventually(lambda: {".gz", ".jsonl"} == {path.suffix for path in files(target)})
    eventually(lambda: not list(tmp_path.glob("*.gz-new")))
    file.close()
    assert expected([batch(0, 30)]) == uids(target)


class Wall:
    """A wall clock that the test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Seconds since 1970 UTC."""
        return self.now


def test_by_time_several_processes_rotate_once(tmp_path: Path) -> None:
    """The time of the next rotation is kept in the sidecar; an empty file is not rotated."""
    target = tmp_path / "app.jsonl"
    wall = Wall(time.time())
    options = JSONLOptions(target, when="H", backup_count=9)
    one, two, three = (JSONLDestination(options, wall=wall) for _ in range(3))
    one.deliver(batch(0, 1))
    two.deliver(batch(1, 1))
    wall.now += 3599
    one.deliver(batch(2, 1))
    assert 1 == len(files(target))
    wall.now += 2
    for number, file in enumerate((two, one, three, two)):
        file.deliver(batch(3 + number, 1))
    assert 2 == len(files(target))
    assert [3, 4, 5, 6] == [int(line["body"]) for line in lines_of(target)]
    target.write_bytes(b"")
    wall.now += 4000
    one.deliver(batch(7, 1))
    assert 2 == len(files(target))
    for file in (one, two, three):
        file.close()


def test_by_time_an_old_file_is_rotated_at_start(tmp_path: Path) -> None:
    """As the standard library does: the first reckoning begins at the file's last change."""
    target = tmp_path / "app.jsonl"
    target.write_bytes(b'{"old":1}\n')
    os.utime(target, (time.time() - 90000,) * 2)
    file = destination(target, when="D")
    file.deliver(batch(0, 1))
    assert b'{"old":1}\n' == (tmp_path / "app.jsonl.1").read_bytes()
    file.close()


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The local time of several places."""
    if not hasattr(time, "tzset"):
        pytest.skip("no time zones here")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("when", ["S", "M", "H", "D", "midnight", "W0", "W3", "W6"])
@pytest.mark.parametrize("utc", [False, True])
def test_the_times_are_the_standard_librarys(zone: str, when: str, utc: bool) -> None:
    """The same next rotation as ``TimedRotatingFileHandler`` reckons, through two years."""
    oracle = logging.handlers.TimedRotatingFileHandler(os.devnull, when=when, utc=utc, delay=True)
    ours = Schedule(when, 1, utc)
    chance = random.Random(5)
    for _ in range(300):
        now = 1_700_000_000 + chance.randrange(2 * 365 * 86400)
        want, got = oracle.computeRollover(now), ours.next_after(now)
        if want != got:
            # Where the standard library misses midnight by a change of the clock, ours is one.
            assert zone != "UTC"
            assert not utc
            clock = time.localtime(got)
            assert (0, 0) == (clock.tm_hour, clock.tm_min), (now, want, got)
            assert abs(want - got) <= 7200
    oracle.close()
