"""Small helpers that tests of every room share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pytest

__all__ = ["THREAD_PREFIX", "eventually", "needs_kafka", "own_threads", "take_over", "whole_lines"]

T = TypeVar("T")

#: Every thread of the package begins its name with this.
THREAD_PREFIX = "otel-stdlib-"
#: On a Python that confluent-kafka has no wheel for; CI's run with every server has one.
needs_kafka = pytest.mark.skipif(
    find_spec("confluent_kafka") is None and os.environ.get("OTEL_STDLIB_REQUIRE_SERVERS") != "1",
    reason="confluent-kafka is not installed",
)


def eventually(predicate: Callable[[], T], timeout: float = 30.0, interval: float = 0.01) -> T:
    """Poll until ``predicate`` gives something true and return that.

    Raises:
        AssertionError: ``timeout`` seconds went by; the message shows the last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: last value {value!r}")
        time.sleep(interval)


def own_threads() -> list[str]:
    """The names of the package's threads that are alive in this process."""
    return sorted(t.name for t in threading.enumerate() if t.name.startswith(THREAD_PREFIX))


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that somebody may be writing to; none where there is no file.

    Whoever reads beside a ``write`` may see the half of it: what has no line end yet is left out.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1]


def take_over(fd: int, path: Path) -> int:
    """Close a descriptor of the package's, and open a file of the application's with its number; that number."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(file, b"the application's")
    os.dup2(file, fd)
    os.close(file)
    return fd
