"""A destination's view of a spool: what it read before the keeper took it is not lost."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import pytest

from otel_stdlib.delivery.contract import Destination, Origin
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.sources import LiveSource
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.handlers.jsonl import JSONLDestination, JSONLOptions
from tests.delivery.parts import Scripted
from tests.spool.helpers import make_spool, put, root_at
from tests.support import eventually, whole_lines


class Rescued(LiveSource):
    """A live source of ten records that notes what it calls rescued."""

    def __init__(self, path: Path) -> None:
        self.rescued: Counter[int] = Counter()
        spool = make_spool(root_at(path))
        super().__init__(spool, Origin(spool.spool_id, b"{}"), "target", self.rescued.update)
        self.lsns = put(spool, 10)
        self.load_cursor()
        self.first = self.cursor
        self.end = spool.published


@pytest.fixture
def source(tmp_path: Path) -> Rescued:
    """Ten records at severity 9."""
    return Rescued(tmp_path)


def test_what_was_read_ahead_and_then_evicted_is_not_lost(source: Rescued) -> None:
    """Two stretches were read when everything was evicted: each counts back when it is settled."""
    source.read(source.first, 4, 1 << 20)
    source.read(source.lsns[4], 4, 1 << 20)
    source.claim(source.first, source.end)
    source.save_cursor(source.lsns[4])
    assert source.rescued == {9: 4}
    source.save_cursor(source.lsns[8])
    assert source.rescued == {9: 8}
    source.save_cursor(source.end)
    assert source.rescued == {9: 8}


def test_what_is_read_again_counts_once(source: Rescued) -> None:
    """A stretch that lingered is read again with what came since."""
    source.read(source.first, 2, 1 << 20)
    source.read(source.first, 5, 1 << 20)
    source.claim(source.first, source.end)
    source.save_cursor(source.lsns[5])
    assert source.rescued == {9: 5}


def test_a_part_of_what_was_read_is_settled(source: Rescued) -> None:
    """A position of the destination's own inside a stretch: the rest counts when it is settled too."""
    source.read(source.first, 6, 1 << 20)
    source.claim(source.first, source.end)
    source.save_cursor(source.lsns[2])
    assert source.rescued == {9: 2}
    source.save_cursor(source.lsns[6])
    assert source.rescued == {9: 6}


class Away(JSONLFileHandler):
    """Its server is away, and what waits is written to a file."""

    def make_destination(self) -> Destination:
        """One that cannot be opened."""
        made = Scripted()
        made.open_error = RetryableError("away")
        return made

    @property
    def policy(self) -> DeliveryPolicy:
        """Down after one failure."""
        return DeliveryPolicy(circuit_breaker_threshold=1)

    def make_fallback(self) -> tuple[Destination, float]:
        """At once."""
        return JSONLDestination(JSONLOptions(f"{self.options.target}.waiting")), 0.0


def test_who_reads_along_holds_nothing(tmp_path: Path) -> None:
    """A fallback settles nothing in the spool: what it read in a long outage is not kept until it does."""
    handler = Away(tmp_path / "a.jsonl", spool={"directory": tmp_path / "private" / "spools"})
    try:
        for n in range(50):
            handler.handle(logging.LogRecord("shop", logging.INFO, __file__, n, "waits", None, None))
        eventually(lambda: len(whole_lines(tmp_path / "a.jsonl.waiting")) == 50)
        generation = handler.pipeline._generation
        assert generation is not None
        [fallback] = generation.fallbacks.values()
        [lane] = fallback._worker._lanes
        assert getattr(lane.source._view, "_held", []) == []  # type: ignore[attr-defined]
    finally:
        handler.stop(0.0)
