"""A generation that ends while somebody logs, closes, starts or waits at the same moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.pipeline.generation import Generation
from tests.support import eventually, whole_lines


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
    found = handler._pipeline._generation
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


def test_a_log_call_that_a_stop_overtakes_is_not_lost(handler: JSONLFileHandler, tmp_path: Path) -> None:
    """It had found its segment when the spool was sealed: what it then writes there is still delivered."""
    handler.handle(record("first"))
    assert handler.flush(30)
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
