"""Which flavour runs, and that every reason against the compiled one is a reason and no error."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib._native import core, load
from tests.tree import ROOT

_REPORT = """
import sys
from otel_stdlib._native import core, missing
from otel_stdlib import OTelQueueHandler
from otel_stdlib.handlers import JSONLFileHandler
import logging
handler = OTelQueueHandler(handlers=[JSONLFileHandler(filename=sys.argv[1])])
logging.getLogger().addHandler(handler)
logging.getLogger().warning("a record")
assert handler.flush(20)
health = handler.health()
assert health["accelerated"] is (core is not None), health
assert health["destinations"]["jsonl"]["sent"] == 1
handler.stop()
print(core is not None, missing)
"""


def run(tmp_path: Path, program: str = _REPORT, **more: str) -> str:
    """What a program prints."""
    environment = {**os.environ, "OTEL_STDLIB_SPOOL_DIR": str(tmp_path / "spool"), **more}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "out.jsonl")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_switched_off(tmp_path: Path) -> None:
    """``OTEL_STDLIB_NO_NATIVE=1`` gives pure Python; ``0`` and nothing do not."""
    assert run(tmp_path, OTEL_STDLIB_NO_NATIVE="1") == "False switched off by OTEL_STDLIB_NO_NATIVE"
    if core is not None:
        assert run(tmp_path, OTEL_STDLIB_NO_NATIVE="0") == "True"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("no"), "not built"),
        (ImportError("undefined symbol: PyFoo"), "ImportError: undefined symbol: PyFoo"),
        (SystemError("initialization failed"), "SystemError: initialization failed"),
        (OSError("x" * 900), "OSError: " + "x" * 191),
    ],
)
def test_what_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    """A binary of another Python, of another machine, or half of one."""

    def fail(_name: str) -> Any:
        raise error

    monkeypatch.delenv("OTEL_STDLIB_NO_NATIVE", raising=False)
    monkeypatch.setattr(importlib, "import_module", fail)
    assert load._load() == (None, reason)


@pytest.mark.parametrize("abi", [None, 0, 10_000])
def test_a_binary_of_another_source(monkeypatch: pytest.MonkeyPatch, abi: int | None) -> None:
    """One that an editable installation left behind."""
    old = types.ModuleType("otel_stdlib._native._core")
    if abi is not None:
        old.ABI = abi  # type: ignore[attr-defined]
    monkeypatch.delenv("OTEL_STDLIB_NO_NATIVE", raising=False)
    monkeypatch.setattr(importlib, "import_module", lambda _name: old)
    found, reason = load._load()
    assert found is None
    assert "another version" in reason


def test_the_version_says_which_one_runs(tmp_path: Path) -> None:
    """At its end, with the reason against the other one before it."""
    program = "import sys; sys.argv[1:] = ['--version']; from otel_stdlib.cli import main; main()"
    pure = run(tmp_path, program, OTEL_STDLIB_NO_NATIVE="1")
    assert pure.endswith("switched off by OTEL_STDLIB_NO_NATIVE (pure Python)")
    if core is not None:
        assert run(tmp_path, program, OTEL_STDLIB_NO_NATIVE="").endswith(" (compiled)")


@pytest.mark.skipif(core is None, reason="pure Python runs here")
def test_a_subinterpreter_uses_pure_python(tmp_path: Path) -> None:
    """The import is refused there, as what the module keeps belongs to one interpreter."""
    program = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        print("none"); sys.exit()
from otel_stdlib._native import core
assert core is not None
other = interpreters.create()
code = '''
try:
    import otel_stdlib._native._core
except ImportError:
    pass
else:
    raise SystemExit("it was imported")
'''
run = getattr(interpreters, "run_string", None) or interpreters.exec
failed = run(other, code)
assert failed is None, failed
interpreters.destroy(other)
print("refused")
"""
    assert run(tmp_path, program) in ("refused", "none")
