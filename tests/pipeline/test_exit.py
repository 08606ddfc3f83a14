"""What a pipeline is registered with for the end of its process."""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Iterator
from typing import ClassVar

import pytest

from otel_stdlib.pipeline import exit as exit_hook


class Pipeline:
    """A pipeline with nothing to deliver."""

    shutdown_timeout = 0.0

    def drain_at_exit(self, deadline: float) -> None:
        """Nothing."""


def test_multiprocessing_that_another_thread_is_importing_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A half imported ``multiprocessing.util`` has no ``Finalize`` yet: a log call must not fail of it."""
    monkeypatch.setattr(exit_hook, "_registered_pid", 0)
    monkeypatch.setitem(sys.modules, "multiprocessing.util", types.ModuleType("multiprocessing.util"))
    exit_hook.register(Pipeline())


def test_a_child_of_multiprocessing_gets_a_finalizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends by ``os._exit``, after finalizers that have a priority: once per process."""
    util = types.ModuleType("multiprocessing.util")
    made: list[int] = []
    util.Finalize = lambda *args, exitpriority: made.append(exitpriority)  # type: ignore[attr-defined]
    monkeypatch.setattr(exit_hook, "_registered_pid", 0)
    monkeypatch.setitem(sys.modules, "multiprocessing.util", util)
    exit_hook.register(Pipeline())
    exit_hook.register(Pipeline())
    assert made == [-100]


def test_a_pipeline_that_is_added_while_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread's first record in the middle of the hook's look keeps no other pipeline from being drained."""
    drained: list[Pipeline] = []

    class Drained(Pipeline):
        def drain_at_exit(self, deadline: float) -> None:
            drained.append(self)

    class Adds(weakref.WeakSet[Pipeline]):
        late: ClassVar[list[Pipeline]] = [Drained()]

        def __iter__(self) -> Iterator[Pipeline]:
            for member in super().__iter__():
                if member not in self.late:
                    self.add(self.late[0])
                yield member

    early = [Drained() for _ in range(3)]
    monkeypatch.setattr(exit_hook, "_pipelines", Adds(early))
    monkeypatch.setattr(exit_hook, "_exiting", False)
    exit_hook._drain_all()
    assert set(early) <= set(drained)
