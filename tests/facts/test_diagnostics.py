"""What the package says of itself."""

from __future__ import annotations

import logging

import pytest

from otel_stdlib.facts.diagnostics import debug_logger, say


@pytest.mark.parametrize("_", range(2))
def test_a_test_does_not_hear_what_another_one_heard(_: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is said once a minute is said once in each test."""
    assert [say("tests", "something"), say("tests", "something")] == [True, False]
    assert "otel_stdlib: something\n" == capsys.readouterr().err


def test_details_reach_the_debug_logger(caplog: pytest.LogCaptureFixture) -> None:
    """Each time, also what standard error is spared; never the root's handlers."""
    debug_logger.addHandler(caplog.handler)
    debug_logger.setLevel(logging.DEBUG)
    try:
        say("tests", "something")
        say("tests", "something")
    finally:
        debug_logger.removeHandler(caplog.handler)
        debug_logger.setLevel(logging.NOTSET)
    assert ["something", "something"] == caplog.messages
    assert not debug_logger.propagate
