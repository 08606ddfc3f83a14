"""The first record of a process: it imports nothing, and it may come when the interpreter ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import records, run, settle
from tests.tree import ROOT


@pytest.mark.parametrize("arguments", [(), ("filter",)])
def test_it_imports_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """No import statement runs: it fails when the interpreter ends, and hangs in a child forked meanwhile."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests/pipeline/first_record.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert [[], []] == json.loads(done.stdout)


_AT_THE_END = """
class Resource:
    def __init__(self, log):
        self.log, self.write = log, os.write
    def __del__(self):
        try:
            self.log(BODY)
            self.write(1, b"returned")
        except BaseException as error:
            self.write(1, b"raised %r" % error)
configure()
"""


@pytest.mark.fault
@pytest.mark.parametrize(
    ("body", "call"),
    [('"closed"', "log.info"), ('"closed"', "log.exception"), ('{"event": "closed"}', "log.info")],
)
def test_in_a_finalizer_when_the_interpreter_ends(tmp_path: Path, body: str, call: str) -> None:
    """It returns, prints no error, and the record is delivered by the next process at the latest."""
    script = _AT_THE_END.replace("BODY", body) + f"resource = Resource({call})"
    done = run(tmp_path, script)
    assert "returned" == done.stdout
    assert "Error" not in done.stderr
    settle(tmp_path)
    [record] = records(tmp_path)
    assert record["body"] in ("closed", {"event": "closed"})
