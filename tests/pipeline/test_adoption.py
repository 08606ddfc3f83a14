"""Giving the spools of dead processes to destinations."""

from __future__ import annotations

from pathlib import Path

from otel_stdlib.pipeline.adoption import Adopter
from otel_stdlib.spool.orphan import Scanner
from tests.spool.helpers import make_spool, put, root_at


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
