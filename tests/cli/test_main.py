"""The command under each of its names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_stdlib.cli.main import main

NAMES = (["-m", "otel_stdlib"], ["-m", "otel_stdlib.cli"])


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["check", "missing.yaml"], ["chekc"]], ids=" ".join
)
def test_every_name_is_the_same_command(
    name: list[str],
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same output, errors and exit status as ``otel-stdlib``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    try:
        status: object = main(arguments)
    except SystemExit as ended:
        status = ended.code
    expected = capsys.readouterr()
    done = subprocess.run(
        [sys.executable, *name, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (status, expected.out, expected.err) == (done.returncode, done.stdout, done.stderr)
