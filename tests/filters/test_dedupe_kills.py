"""Counts of repeats survive a kill: the next process of the service reports them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.facts.descriptor import Descriptor
from otel_stdlib.filters import DedupeFilter
from otel_stdlib.spool.pages import Page, leftover_pages
from tests.filters.parts import lines, logged, record
from tests.support import eventually
from tests.tree import ROOT

COUNT = "otel_stdlib.repeat.count"

_PROGRAM = """
import logging, os, signal, sys
from otel_stdlib import OTelQueueHandler
from otel_stdlib.filters import DedupeFilter
from otel_stdlib.handlers import JSONLFileHandler

queue = OTelQueueHandler(handlers=[JSONLFileHandler(sys.argv[1])], service_name="dedupe-test")
queue.addFilter(DedupeFilter(float(sys.argv[4])))
logging.basicConfig(handlers=[queue], level=20)
for number in range(int(sys.argv[2])):
    logging.warning("broken %s", number, extra={"number": number})
if sys.argv[3] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run(path: Path, count: int, end: str, window: float = 3_600.0) -> None:
    """One process that logs the same record ``count`` times, and ends."""
    arguments = [sys.executable, "-c", _PROGRAM, str(path), str(count), end, str(window)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == ""
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0)


def pages(folder: Path) -> list[Path]:
    """The files of counts below a folder."""
    return sorted(folder.rglob("*.counts"))


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
class TestKills:
    def test_the_next_process_reports(self, tmp_path: Path, isolated_environment: Path) -> None:
        """Calls are delivered and counted ones, through two kills; nothing is left behind."""
        path = tmp_path / "a.jsonl"
        for _ in range(2):
            run(path, 40, "kill")
        assert pages(isolated_environment)
        run(path, 5, "exit")
        found = lines(path)
        repeats = [line for line in found if COUNT in line["attributes"]]
        assert sorted(line["attributes"][COUNT] for line in repeats) == [4, 39, 39]
        assert len(found) - len(repeats) + sum(line["attributes"][COUNT] for line in repeats) == 85
        killed = next(line for line in repeats if line["attributes"][COUNT] == 39)
        assert (killed["body"], killed["severity_text"], killed["attributes"]["number"]) == (
            "broken 1",
            "WARNING",
            1,
        )
        assert (
            killed["attributes"]["otel_stdlib.repeat.first"]
            <= killed["attributes"]["otel_stdlib.repeat.last"]
        )
        assert pages(isolated_environment) == []

    def test_kills_at_any_time(self, tmp_path: Path, isolated_environment: Path) -> None:
        """Windows that end while the process is killed: no call is missing, and at most one window is counted twice."""
        path = tmp_path / "a.jsonl"
        for count in (300, 700, 1_100):
            run(path, count, "kill", 0.01)
        run(path, 1, "exit", 0.01)
        found = lines(path)
        assert sum(line["attributes"].get(COUNT, 1) for line in found) >= 2_101
        assert pages(isolated_environment) == []

    def test_a_living_process_keeps_its_counts(self, tmp_path: Path, isolated_environment: Path) -> None:
        """Only what has no owner is taken over."""
        with logged(tmp_path, DedupeFilter(3_600, directory=isolated_environment)) as made:
            for _ in range(3):
                made.logger.info("x")
            (page,) = pages(isolated_environment)
            other = DedupeFilter(directory=isolated_environment)
            other.filter(record())
            other.flush()
            assert pages(isolated_environment) == [page]
            assert [line["attributes"].get(COUNT) for line in made.lines()] == [None, 2]
            assert eventually(lambda: pages(isolated_environment) == [])


class TestPages:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Descriptor:
        """A folder of spools."""
        return Descriptor(os.open(tmp_path, os.O_RDONLY))

    def test_counts_and_texts(self, root: Descriptor) -> None:
        """What was stored last is read; what is too long has no text; another kind is not looked at."""
        page = Page(root, "kind")
        store = page.take(1.0, b"text")
        store(7, 2.0)
        page.take(3.0, b"x" * 5_000)
        page.take(4.0, b"gone")(0, 0.0)
        assert list(leftover_pages(root, "kind", ())) == []
        page.let_go()
        assert list(leftover_pages(root, "other", ())) == []
        ((name, found),) = leftover_pages(root, "kind", ())
        assert name == page.name
        assert found == [(7, 1.0, 2.0, b"text"), (1, 3.0, 3.0, b"")]

    @pytest.mark.parametrize("damage", [b"", b"OTSPAGE2" + bytes(4_000), b"OTSPAGE1" + b"\xff" * 300_000])
    def test_damage_is_no_error(self, root: Descriptor, tmp_path: Path, damage: bytes) -> None:
        """A file that was cut, of another version, or full of anything."""
        page = Page(root, "kind")
        page.let_go()
        (tmp_path / page.name).write_bytes(damage)
        ((_, found),) = leftover_pages(root, "kind", ())
        assert all(counted.text == b"" for counted in found)

    def test_a_page_has_so_many_slots(self, root: Descriptor) -> None:
        """A slot that is given back is used again."""
        page = Page(root, "kind")
        stores = [page.take(1.0, b"") for _ in range(64)]
        assert page.is_full
        stores[5](0, 0.0)
        page.take(1.0, b"")
        assert page.is_full
        page.remove()
        assert list(leftover_pages(root, "kind", ())) == []
