"""The byte that is zero in a forked child, however it was forked."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest

from otel_stdlib.spool import forkguard
from otel_stdlib.spool.forkguard import new_guard


def _child_sees(guard: object, fork: object) -> int:
    read, write = os.pipe()
    pid = fork()  # type: ignore[operator]
    if pid == 0:
        os.write(write, bytes([guard[0]]))  # type: ignore[index]
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    seen = os.read(read, 1)[0]
    os.close(read)
    return seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["page", "pid"])
def test_python_fork(kind: str) -> None:
    """1 in the process, 0 in its child, for the page and for the fallback."""
    guard = new_guard() if kind == "page" else forkguard._PidGuard()
    assert guard[0] == 1
    assert _child_sees(guard, os.fork) == 0
    assert guard[0] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="calls the C library's fork")
def test_c_fork() -> None:
    """A fork that runs no Python hook is seen as well."""
    guard = new_guard()
    assert _child_sees(guard, ctypes.PyDLL(None).fork) == 0
    assert guard[0] == 1
