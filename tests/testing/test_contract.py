from __future__ import annotations

import os
import subprocess
import sys
import unittest
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import ConfigError
from otel_stdlib.testing import BackendContract
from tests.testing import backends
from tests.testing.backends import AsyncBatches, Memory, away
from tests.tree import ROOT


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    """Each test begins with nothing stored."""
    Memory.entries.clear()
    yield
    Memory.entries.clear()
    backends.Strict.spoiled = False


class InMemory(BackendContract):
    """What the tests below share."""

    backend = Memory

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """All of it."""
        return list(Memory.entries)

    def outage(self) -> AbstractContextManager[Any] | None:
        """The memory is away."""
        return away()


class TestOneByOne(InMemory):
    """The seed's interface."""


class TestBatches(InMemory):
    """The batch interface, asynchronous, without an outage."""

    backend = AsyncBatches

    def outage(self) -> None:
        """Not described: skipped."""


class TestByName(BackendContract):
    """Two lines are enough: the name as a configuration has it."""

    backend = "tests.testing.backends.Memory"


def load_example() -> type[Any]:
    """The back end of the example, without running the program around it."""
    source = (ROOT / "examples" / "custom_backend.py").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "custom_backend"}
    exec(
        compile(source.partition("# A class of an importable module")[0], "custom_backend.py", "exec"), names
    )
    found: type[Any] = names["PrintingBackend"]
    return found


class TestExample(BackendContract):
    """``examples/custom_backend.py``."""

    backend = load_example()
    config = {"prefix": ">>> "}


def failing(faulty: type[Any]) -> list[str]:
    """The tests that a back end does not pass."""

    class Case(InMemory, unittest.TestCase):
        backend = faulty

    found = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(found)
    return sorted(test.id().rpartition(".")[2] for test, _ in [*found.failures, *found.errors])


class TestItFinds:
    """A fault of each kind is found, and by the test that is about it."""

    def test_nothing_wrong_with_a_good_one(self) -> None:
        """Every test passes, under unittest too."""
        assert [] == failing(Memory)

    def test_loss(self) -> None:
        """It says stored and is not there."""
        assert "test_records_are_stored_in_order" in failing(backends.Forgetful)

    def test_another_order(self) -> None:
        """Also through the whole pipeline."""
        found = failing(backends.Reversing)
        assert {"test_records_are_stored_in_order", "test_through_the_whole_pipeline"} <= set(found)

    def test_a_record_that_would_come_for_ever(self) -> None:
        """It would keep all others back."""
        assert "test_odd_records_are_stored_or_refused" in failing(backends.Stubborn)

    def test_a_hidden_failure(self) -> None:
        """What it swallowed is lost."""
        assert ["test_an_outage_loses_nothing"] == failing(backends.Careless)

    def test_ordinary_records_refused_for_an_odd_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They would be dead letters, or wait: the test with an application shows that by its patience."""
        monkeypatch.setattr("otel_stdlib.testing.contract.PATIENCE", 3.0)
        assert "test_odd_records_are_stored_or_refused" in failing(backends.Strict)

    def test_a_copy_where_there_must_be_none(self) -> None:
        """``exactly_once`` is a promise."""

        class Once(InMemory):
            exactly_once = True

        with pytest.raises(AssertionError, match="more than once"):
            Once().test_a_batch_that_comes_again_is_no_trouble()

    def test_a_class_that_is_no_back_end(self) -> None:
        """It is refused by name."""

        class Other(BackendContract):
            backend = Path

        with pytest.raises(ConfigError, match=r"Path has no method 'initialize'"):
            Other().test_making_it_opens_nothing()
        Other.backend = 7
        with pytest.raises(TypeError, match="must be a class or a name, not 7"):
            Other().test_making_it_opens_nothing()


def test_two_lines_under_pytest(tmp_path: Path) -> None:
    """As the page says: a module, two lines, and a summary."""
    (tmp_path / "test_mine.py").write_text(
        "from otel_stdlib.testing import BackendContract\n"
        "from tests.testing.backends import Memory\n\n"
        "class TestMine(BackendContract):\n"
        "    backend = Memory\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "."]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert 0 == done.returncode, done.stdout
    assert "9 passed, 1 skipped" in done.stdout
