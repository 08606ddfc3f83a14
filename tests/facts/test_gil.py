from __future__ import annotations

import sys

import pytest

from otel_stdlib.facts.gil import report_gil

FREE = "3.14.0 free-threading build (main)"


@pytest.mark.parametrize(("is_on", "expected"), [(True, "runs with the GIL"), (False, "PYTHON_GIL=1")])
def test_a_free_threaded_python_is_reported_once(
    is_on: bool, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether orjson has switched the GIL on or not; the other builds have nothing to say."""
    report_gil()
    assert "" == capsys.readouterr().err or "free-threading" in sys.version
    monkeypatch.setattr(sys, "version", FREE)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: is_on, raising=False)
    report_gil()
    report_gil()
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert "orjson" in line
