"""What holds for every test: nothing of the process's logging or environment is left changed.

Warnings are errors and the order is random (``pyproject.toml``), so what one test leaves
behind would break another; these fixtures make the test at fault fail instead.
"""

from __future__ import annotations

import contextvars
import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from otel_stdlib.facts import diagnostics
from tests.support import THREAD_PREFIX
from tests.support import eventually as poll

if importlib.util.find_spec("tests.servers.plugin"):
    pytest_plugins = ["tests.servers.plugin"]

# An example that a busy machine lets wait is no slow example.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

#: Variables that change what is logged or where it goes, by prefix.
_VARIABLES = ("OTEL_", "XDG_", "KUBERNETES_", "POD_", "CONTAINER_")
#: What the test command itself may set.
_KEPT = ("OTEL_STDLIB_REQUIRE_SERVERS", "OTEL_STDLIB_NO_NATIVE", "OTEL_STDLIB_TEST_")


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No variable of the machine reaches a test, and every spool lies in a folder of its own."""
    for name in list(os.environ):
        if name.startswith(_VARIABLES) and not name.startswith(_KEPT):
            monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("spool", numbered=True)
    monkeypatch.setenv("OTEL_STDLIB_SPOOL_DIR", str(place))
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    return place


@pytest.fixture(autouse=True)
def restored_logging(no_thread_left: None) -> Iterator[None]:
    """Put the logging tree back: the root, every logger, level names, the class, the switches."""
    manager = logging.Logger.manager
    before = _tree()
    module = {name: getattr(logging, name) for name in ("lastResort", "raiseExceptions", "logThreads")}
    levels = (dict(logging._levelToName), dict(logging._nameToLevel))
    makers = (manager.loggerClass, manager.logRecordFactory, logging.getLoggerClass())
    record_maker = logging.getLogRecordFactory()
    disable = manager.disable
    yield
    logging._levelToName.clear()
    logging._levelToName.update(levels[0])
    logging._nameToLevel.clear()
    logging._nameToLevel.update(levels[1])
    manager.loggerClass, manager.logRecordFactory = makers[:2]
    logging.setLoggerClass(makers[2])
    logging.setLogRecordFactory(record_maker)
    manager.disable = disable
    for name, value in module.items():
        setattr(logging, name, value)
    _restore(before)


def _loggers() -> dict[str, logging.Logger]:
    found = logging.Logger.manager.loggerDict.items()
    return {"": logging.getLogger(), **{n: lg for n, lg in found if isinstance(lg, logging.Logger)}}


def _tree() -> dict[str, tuple[Any, ...]]:
    return {
        name: (lg.level, lg.propagate, lg.disabled, list(lg.handlers), list(lg.filters))
        for name, lg in _loggers().items()
    }


def _restore(before: dict[str, tuple[Any, ...]]) -> None:
    # A logger that a test made stays known (others may hold it) but as good as new.
    fresh = (logging.NOTSET, True, False, [], [])
    for name, logger in _loggers().items():
        level, logger.propagate, logger.disabled, handlers, filters = before.get(name, fresh)
        for handler in [h for h in logger.handlers if h not in handlers]:
            logger.removeHandler(handler)
            handler.close()
        logger.handlers[:] = handlers
        logger.filters[:] = filters
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def restored_context() -> Iterator[None]:
    """Give every context variable the value it had, so that no trace leaks into the next test."""
    before = contextvars.copy_context()
    yield
    for variable in contextvars.copy_context():
        if variable in before:
            if variable.get() is not before[variable]:
                variable.set(before[variable])
        elif variable.name.startswith("otel_stdlib"):
            variable.set(None)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail the test that leaves a thread of the package running, and name the thread.

    The handlers that stood in the logging tree at the end of the test are closed before.
    """
    before = set(threading.enumerate())

    def left() -> list[str]:
        alive = set(threading.enumerate()) - before
        return sorted(t.name for t in alive if t.name.startswith(THREAD_PREFIX))

    yield
    try:
        poll(lambda: not left(), timeout=30.0)
    except AssertionError:
        pytest.fail(f"threads left running: {', '.join(left())}", pytrace=False)


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    """What another test made the package say within the last minute is said again."""
    diagnostics._own._said.clear()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """``eventually(predicate, timeout)``: see ``tests.support.eventually``."""
    return poll
