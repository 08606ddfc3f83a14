"""Thresholds as OpenTelemetry writes them."""

from __future__ import annotations

import pytest

from otel_stdlib.filters.randomness import parse_threshold, threshold, written

#: From the specification's table for four digits, and as ``pkg/sampling`` v0.165.1 of the Collector prints them.
PUBLISHED = {
    1.0: "0",
    0.5: "8",
    1 / 3: "aaab",
    0.25: "c",
    0.2: "cccd",
    0.125: "e",
    0.1: "e666",
    0.0625: "f",
    0.01: "fd70a",
    0.001: "ffbe77",
    0.0001: "fff9724",
    0.00001: "ffff583a",
    0.000001: "ffffef39",
}
#: Close to everything and to nothing, as the same version of the package prints them.
PRINTED = {
    0.9: "199a",
    0.95: "0cccd",
    0.99: "028f6",
    0.999: "004189",
    0.9999999: "000001ad8",
    0.75: "4",
    0.07: "ee14",
    1e-09: "fffffffbb48",
    1e-12: "fffffffffee68",
    1e-16: "fffffffffffff9",
}


class TestThreshold:
    @pytest.mark.parametrize(("ratio", "text"), (PUBLISHED | PRINTED).items())
    def test_as_published(self, ratio: float, text: str) -> None:
        """The specification's own table, and what the Collector's package computes."""
        assert written(threshold(ratio)) == text

    def test_the_ends(self) -> None:
        """Nothing, everything, and the smallest ratio that there is."""
        assert written(threshold(0.0)) > "f" * 14
        assert written(threshold(2**-56)) == "f" * 14
        assert threshold(1.0) == "0" * 14
        assert threshold(2**-60) > "f" * 14

    def test_back_again(self) -> None:
        """A written threshold is a ratio; other texts are none."""
        for ratio in PUBLISHED:
            assert parse_threshold(written(threshold(ratio))) == pytest.approx(ratio, rel=1e-4)
        assert [parse_threshold(text) for text in ("", "xyz", "f" * 15, 3, None)] == [None] * 5
