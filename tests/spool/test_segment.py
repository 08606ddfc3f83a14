from __future__ import annotations

from otel_stdlib.spool.segment import Descriptor


def test_a_descriptor_that_was_never_finished_closes_nothing() -> None:
    """A signal handler may raise between the object and its number."""
    unfinished = Descriptor.__new__(Descriptor)
    unfinished.close()
    assert unfinished.fd == -1
