"""``fast_log_record`` makes what ``logging.LogRecord`` makes."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import threading
from collections import UserDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_stdlib import OTelQueueHandler, fast_log_record
from otel_stdlib.handlers import JSONLFileHandler
from otel_stdlib.record import factory

_VARYING = ("created", "msecs", "relativeCreated")
_VALUES: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_ARGS: Any = (
    st.none()
    | st.lists(_VALUES, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=3), _VALUES, max_size=2).map(lambda given: (given,))
    | st.just((UserDict(a=1),))
)
_PATHS: Any = (
    st.sampled_from(
        ["/srv/app/views.py", "views", "", "/", "a/b.c.py", "/srv/.hidden", b"/srv/a.py", Path("a/b.py"), 7]
    )
    | st.text(max_size=12)
    | st.none()
    | st.just(["a.py"])
)


@pytest.fixture(autouse=True)
def _own_factory() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(before)


def _both(*call: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    pure, first = vars(factory.pure_log_record(*call)), vars(fast_log_record(*call))
    # In C by what was kept of the first call.
    ours, theirs = vars(fast_log_record(*call)), vars(logging.LogRecord(*call))
    for other in (pure, first):
        assert [*other] == [*ours]
        assert all(repr(other[field]) == repr(ours[field]) for field in ours if field not in _VARYING)
    assert [*ours] == [*theirs]
    made = fast_log_record(*call)
    assert type(made) is logging.LogRecord
    assert repr(made.__dict__.get("name")) == repr(
        made.name
    )  # also where attributes are kept elsewhere at first
    for field in _VARYING:
        first, second = ours.pop(field), theirs.pop(field)
        assert type(first) is type(second)
    return ours, theirs


@given(
    path=_PATHS,
    args=_ARGS,
    level=st.sampled_from([5, 10, 20, 25, 50, -1]) | st.just("INFO"),
    function=st.none() | st.text(max_size=5),
)
def test_the_same_fields(path: Any, args: Any, level: Any, function: str | None) -> None:
    """In the same order and with the same values: the argument that is a mapping, and odd paths, too."""
    for _ in range(2):  # the second time from what was kept
        ours, theirs = _both("a.b", level, path, 7, "m", args, None, function, "stack")
        assert repr(ours) == repr(theirs)  # NaN too


def test_the_times_are_those_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a nanosecond rounds up to the next second as well."""
    call = ("a", 20, "a.py", 1, "m", (), None)
    for nanoseconds in (1_677_903_920_999_999_900, 1_677_903_920_999_998_503, 1_677_903_921_000_000_000, 0):
        clock = SimpleNamespace(time=lambda at=nanoseconds: at / 1e9, time_ns=lambda at=nanoseconds: at)
        monkeypatch.setattr(logging, "time", clock)
        monkeypatch.setattr(factory, "time", clock)
        ours, theirs = vars(fast_log_record(*call)), vars(logging.LogRecord(*call))
        assert ours == theirs


@pytest.mark.parametrize("switch", ["logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"])
def test_what_is_switched_off_is_left_out(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``logging``'s own switches hold."""
    monkeypatch.setattr(logging, switch, False, raising=False)
    ours, theirs = _both("a", 20, "a.py", 1, "m", (), None)
    assert ours == theirs


def test_names_of_thread_process_and_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the current ones."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def both() -> None:
        found.append(_both("a", 20, "a.py", 1, "m", (), None))

    async def in_a_task() -> None:
        await asyncio.create_task(_later(), name="an import")

    async def _later() -> None:
        both()

    thread = threading.Thread(target=both, name="a worker")
    thread.start()
    thread.join()
    asyncio.run(in_a_task())
    monkeypatch.setattr(multiprocessing.current_process(), "name", "Worker-7")
    both()
    monkeypatch.delattr(multiprocessing, "current_process")  # half imported by another thread
    both()
    assert [ours == theirs for ours, theirs in found] == [True] * 4
    assert found[0][0]["threadName"] == "a worker"
    assert found[2][0]["processName"] == "Worker-7"
    assert found[1][0].get("taskName", "an import") == "an import"


def test_it_is_a_record_of_the_standard_library() -> None:
    """A process without this package reads its pickle."""
    text = pickle.dumps(fast_log_record("a", 20, "a.py", 1, "m", (), None))
    assert b"otel_stdlib" not in text


def test_many_paths_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is made at run time does not fill the memory."""
    monkeypatch.setattr(factory, "_names", {})
    monkeypatch.setattr(factory, "_PATHS", 3)
    for number in range(10):
        assert fast_log_record("a", 20, f"/x/{number}.py", 1, "m", (), None).module == str(number)
    assert len(factory._names) <= 3


def test_install(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only in the place of the standard library's own, and only where that is as we know it."""
    assert factory.matches_standard()
    assert factory.install()
    assert factory.install()
    assert logging.getLogRecordFactory() is fast_log_record

    class Record(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Record)
    assert not factory.install()
    assert logging.getLogRecordFactory() is Record
    assert "record factory stays" in capfd.readouterr().err

    logging.setLogRecordFactory(logging.LogRecord)
    monkeypatch.setattr(factory, "_process_name", lambda: "changed in a later Python")
    assert not factory.matches_standard()
    assert not factory.install()
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_the_option(tmp_path: Path) -> None:
    """Inert until the first record, then set; the records are complete and stay so."""
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(tmp_path / "out.jsonl")],
        spool={"directory": str(tmp_path / "spool")},
        fast_records=True,
    )
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    assert logging.getLogRecordFactory() is logging.LogRecord
    for number in range(3):
        logger.info("order %s", number, extra={"customer": "c"})
    assert logging.getLogRecordFactory() is fast_log_record
    assert handler.stop(10)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [f'"body":"order {number}"' in line for number, line in enumerate(lines)] == [True] * 3
    assert all('"customer":"c"' in line and "test_the_option" in line for line in lines)
