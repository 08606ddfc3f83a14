"""What the package says of itself."""

from __future__ import annotations

import pytest

from otel_stdlib.facts.diagnostics import say


@pytest.mark.parametrize("_", range(2))
def test_a_test_does_not_hear_what_another_one_heard(_: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is said once a minute is said once in each test."""
    assert [say("tests", "something"), say("tests", "something")] == [True, False]
    assert "otel_stdlib: something\n" == capsys.readouterr().err
