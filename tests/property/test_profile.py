"""How examples are tried."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=1)
@given(st.booleans())
def test_a_machine_that_stalls_fails_no_example(chosen: bool) -> None:
    """An example has no deadline of its own: the whole test has one."""
    time.sleep(0.3)
