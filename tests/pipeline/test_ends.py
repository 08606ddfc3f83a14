"""A generation that ends while somebody logs, closes, starts or waits at the same moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.pipeline.generation import Generation
from otel_stdlib.spool import compiled
from tests.support import eventually, own_threads, whole_lines


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[JSONLFileHandler]:
    """A handler on a file, stopped at the end."""
    made = JSONLFileHandler(tmp_path / "out.jsonl", spool={"directory": tmp_path / "private" / "spools"})
    yield made
    made.stop(30)


def record(message: str) -> logging.LogRecord:
    """One record."""
    return logging.LogRecord("shop", logging.INFO, __file__, 1, message, None, None)


def generation_of(handler: JSONLFileHandler) -> Generation:
    """What runs."""
    found = handler.pipeline._generation
    assert found is not None
    return found


class Stopped:
    """A call that stands still before ``call`` until it is let go."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Stand still, once."""
        if not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(60)
        return self._call(*arguments, **named)


def test_a_log_call_that_a_stop_overtakes_is_not_lost(
    handler: JSONLFileHandler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had found its segment when the spool was sealed: what it then writes there is still delivered.

    In pure Python: in C nothing comes between the two.
    """
    monkeypatch.setattr(compiled, "core", None)
    handler.handle(record("first"))
    assert handler.flush(60)
    spool = generation_of(handler).spool
    segment = spool.current()
    segment.reserve = still = Stopped(segment.reserve)
    thread = threading.Thread(target=handler.handle, args=(record("overtaken"),))
    thread.start()
    assert still.reached.wait(30)
    assert handler.stop(0.1) is False, "a call is still on its way"
    still.go.set()
    thread.join(60)
    handler.start()  # the spool waits for whoever looks next
    eventually(lambda: len(whole_lines(tmp_path / "out.jsonl")) == 2)


def test_a_stop_that_gave_up_says_so_again(
    handler: JSONLFileHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads stop one generation: the second one to come is not told that nothing is left."""
    handler.handle(record("waits"))
    generation = generation_of(handler)
    monkeypatch.setattr(generation, "is_delivered", lambda: False)
    assert [generation.stop(0.0) for _ in range(2)] == [False, False]


def test_a_stop_in_the_middle_of_a_start_leaves_no_thread(
    handler: JSONLFileHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread's first record makes a generation, another thread stops it before it is started."""
    gate = Stopped(Generation.start)
    monkeypatch.setattr(Generation, "start", partialmethod(gate))
    thread = threading.Thread(target=handler.start)
    thread.start()
    assert gate.reached.wait(30)
    assert handler.stop(30)
    gate.go.set()
    thread.join(60)
    eventually(lambda: own_threads() == [])


@pytest.mark.parametrize("end", ["close", "stop"])
def test_flush_waits_for_what_another_thread_is_closing(
    handler: JSONLFileHandler, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """From the first moment of a ``close`` or ``stop`` on: what was logged before is waited for."""
    go = threading.Event()
    monkeypatch.setattr(Generation, "flush", lambda generation, timeout: go.is_set())
    handler.handle(record("waits"))
    generation = generation_of(handler)
    name = "close_soon" if end == "close" else "stop"
    gate = Stopped(getattr(generation, name))
    monkeypatch.setattr(generation, name, gate)
    thread = threading.Thread(target=getattr(handler, end))
    thread.start()
    assert gate.reached.wait(30)
    assert handler.flush(0.0) is False
    go.set()
    assert handler.flush(0.0) is True
    gate.go.set()
    thread.join(60)


def test_a_generation_that_is_taken_out_is_in_one_place_at_least(handler: JSONLFileHandler) -> None:
    """Between the look at what runs and the look at what retires nothing is missed."""
    handler.handle(record("waits"))
    pipeline = handler.pipeline
    generation = generation_of(handler)
    missing: list[str] = []

    class Guarded(type(pipeline)):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "_generation" and generation not in self._retiring:
                missing.append(name)

    pipeline.__class__ = Guarded
    handler.close()
    assert missing == []
    assert handler.stop(30)
