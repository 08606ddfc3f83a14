"""Giving the spools of dead processes to destinations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.pipeline.adoption import Adopter
from otel_stdlib.spool.orphan import Orphan, Scanner
from tests.delivery.parts import QUICK, Scripted
from tests.spool.helpers import TARGET, make_spool, put, root_at


def test_a_closed_pipeline_does_not_look(tmp_path: Path) -> None:
    """It finishes what it serves; spools that nobody serves are its successor's."""
    root = root_at(tmp_path)
    dead = make_spool(root)
    put(dead, 3)
    assert dead.directory is not None
    dead.directory.release()
    adopter = Adopter(Scanner(root, lambda: ()), {})
    adopter.tend(0.0, False)
    assert [] == adopter.snapshot()["unclaimed"]
    adopter.tend(0.0, True)
    assert [dead.spool_id] == [entry["spool_id"] for entry in adopter.snapshot()["unclaimed"]]


def test_a_keeper_that_is_late_serves_nothing_after_the_end(tmp_path: Path) -> None:
    """Closed in the middle of its look, an adopter lets go of what it finds then: others may have it."""
    root = root_at(tmp_path)
    spools = [make_spool(root) for _ in range(3)]
    for spool in spools:
        put(spool, 3)
        assert spool.directory is not None
        spool.directory.release()

    class Closes(Scanner):
        def scan(self, now: float) -> Iterator[Orphan]:
            for orphan in super().scan(now):
                adopter.close()
                yield orphan

    worker = DestinationWorker(Scripted(), QUICK, dead_letters=DeadLetterFile(None, Scripted().identity))
    adopter = Adopter(Closes(root, lambda: ()), {TARGET.hash: worker})
    adopter.tend(0.0)
    assert 0 == adopter.snapshot()["serving"]
    assert 3 == len(list(Scanner(root, lambda: ()).scan(0.0)))
