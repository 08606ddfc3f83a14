"""OpenTelemetry's own logging handler next to ours: what ``check`` reports, and that the variable turns it off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.cli import main

_INSTRUMENTATION = "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"
_SDK = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
_SETTINGS: list[tuple[dict[str, str], str]] = [
    ({}, f"{_INSTRUMENTATION} is set to false"),
    ({_INSTRUMENTATION: "false"}, ""),
    ({_SDK: "false"}, f"{_INSTRUMENTATION} is set to false"),
]
_CONFIG = "logger: {backends: [{backend_type: filesystem, config: {log_file: ./a.jsonl}}]}"


@pytest.mark.parametrize(("variables", "reported"), [*_SETTINGS, ({_SDK: "true"}, f"{_SDK} is unset")])
def test_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    reported: str,
) -> None:
    """It names the variable that turns the second handler off; with ``--quiet`` it reports problems only."""
    for name in (_INSTRUMENTATION, _SDK):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "c.yaml"
    file.write_text(_CONFIG)
    assert 0 == main(["check", str(file)])
    out = capsys.readouterr().out
    assert bool(reported) is ("opentelemetry-instrument" in out)
    assert reported in out
    assert 0 == main(["check", "--quiet", str(file)])
    assert "opentelemetry" not in capsys.readouterr().out


@pytest.mark.parametrize(("variables", "reported"), _SETTINGS)
def test_what_it_says_is_so(tmp_path: Path, variables: dict[str, str], reported: str) -> None:
    """The root logger of a program under ``opentelemetry-instrument`` has that handler, or has not."""
    program = "import logging; print([type(h).__module__ for h in logging.getLogger().handlers])"
    none = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    environment = {k: v for k, v in os.environ.items() if k not in (_INSTRUMENTATION, _SDK)}
    done = subprocess.run(
        [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, "-c", program],
        env={**environment, **none, **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert bool(reported) is ("opentelemetry" in done.stdout)
