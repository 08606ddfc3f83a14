from __future__ import annotations

from otel_stdlib.handlers.elasticsearch.pace import Pace


def test_pressure_takes_company_first_and_size_then() -> None:
    """One request at a time, then smaller ones, never below a floor; success gives both back."""
    pace = Pace(100_000, 4)
    pace.pressed()
    assert (1, 100_000) == (pace.workers, pace.bytes)
    pace.pressed()
    assert (1, 50_000) == (pace.workers, pace.bytes)
    for _ in range(20):
        pace.pressed()
    assert 1_024 == pace.bytes
    for _ in range(100):
        pace.well()
    assert (4, 100_000) == (pace.workers, pace.bytes)


def test_too_large_is_learned() -> None:
    """A size that was refused is not tried again, however well things go."""
    pace = Pace(100_000, 1)
    pace.too_large(80_000)
    assert 40_000 == pace.bytes
    for _ in range(100):
        pace.well()
    assert 72_000 == pace.bytes
    pace.too_large(90_000)
    assert 45_000 == pace.bytes


def test_no_answer_makes_requests_small_and_lonely() -> None:
    """What got no answer may have been too much for the line; a small request was not."""
    pace = Pace(1_000_000, 4)
    pace.unanswered(600_000)
    pace.unanswered(600_000)
    assert (1, 300_000) == (pace.workers, pace.bytes)
    pace.unanswered(2_000)
    assert 16 << 10 == pace.bytes
    for _ in range(100):
        pace.well()
    assert (4, 1_000_000) == (pace.workers, pace.bytes)
