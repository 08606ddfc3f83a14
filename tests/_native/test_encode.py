"""The compiled encoder: the same bytes as Python's, for any record."""

from __future__ import annotations

import contextvars
import random

import pytest

from otel_stdlib._native import core, missing
from tests._native.records import Encoders, make_context, make_record

pytestmark = pytest.mark.skipif(core is None, reason=f"pure Python runs here: {missing}")


def test_any_record() -> None:
    """Ordinary and spoiled ones, in any context; both ways are taken by many."""
    first = random.SystemRandom().getrandbits(32)
    encoders = Encoders()

    def compare() -> None:
        for number in range(first, first + 4_000):
            chance = random.Random(number)
            if chance.random() < 0.1:
                make_context(chance)
            try:
                encoders.compare(make_record(chance))
            except BaseException:
                print(f"seed {number}")
                raise

    contextvars.copy_context().run(compare)
    fast, slow = encoders.paths()
    assert min(fast, slow) > 4_000, (fast, slow)
