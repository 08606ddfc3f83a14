from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import freezegun
import pytest

from otel_stdlib.facts import clock, native, threads
from otel_stdlib.facts.threads import Event, Lock, Thread
from tests.support import eventually

if sys.version_info < (3, 15):
    import time_machine

    FREEZERS: list[Any] = [freezegun.freeze_time, time_machine.travel]
else:
    FREEZERS = [freezegun.freeze_time]

NAME = "otel-stdlib-test"


def run(target: Callable[[], None]) -> Thread:
    """A thread of ours that is started."""
    thread = Thread(target, NAME)
    thread.start()
    return thread


class TestThread:
    def test_it_is_seen_under_its_name_while_it_runs(self) -> None:
        """Debuggers and ``threading.enumerate`` know it, as a daemon; when it is joined it is gone."""
        end, found = Event(), []

        def work() -> None:
            found.append(threading.current_thread())
            end.wait(60)

        thread = run(work)
        assert thread.is_alive()
        eventually(lambda: found)
        assert (NAME, True) == (found[0].name, found[0].daemon)
        assert found[0] in threading.enumerate()
        thread.name = "left behind"
        assert "left behind" == found[0].name
        end.set()
        assert thread.join(60)
        assert not thread.is_alive()
        assert found[0] not in threading.enumerate()

    def test_it_knows_itself(self) -> None:
        """``is_current`` and ``is_ours`` are true on it, and false for the one that started it."""
        end, answers = Event(), []

        def work() -> None:
            end.wait(60)
            answers.append((thread.is_current(), threads.is_ours()))

        thread = run(work)
        assert (False, False) == (thread.is_current(), threads.is_ours())
        end.set()
        thread.join()
        assert [(True, True)] == answers
        assert not thread.is_current()

    def test_a_join_ends_with_its_timeout(self) -> None:
        """It answers whether the thread has ended."""
        end = Event()
        thread = run(lambda: end.wait(60) and None)
        assert not thread.join(0.01)
        end.set()
        assert thread.join()
        assert Thread(print, NAME).join()

    def test_a_forked_child_has_no_such_thread(self) -> None:
        """There it is not alive, and nobody waits for it."""
        end = Event()
        thread = run(lambda: end.wait(60) and None)
        pid = os.fork()
        if not pid:
            try:
                os._exit(0 if not thread.is_alive() and thread.join(60) and not threads.is_ours() else 1)
            finally:
                os._exit(2)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert thread.is_alive()
        end.set()
        thread.join()

    def test_one_that_cannot_start_is_not_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """At the interpreter's end, for example."""

        def refuse(*_: object) -> int:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(native, "start_new_thread", refuse)
        thread = Thread(print, NAME)
        with pytest.raises(RuntimeError):
            thread.start()
        assert not thread.is_alive()

    def test_a_tracer_of_threads_sees_it(self) -> None:
        """Coverage and debuggers hook threads by ``threading.settrace`` and ``setprofile``."""
        seen: list[str] = []

        def trace(frame: Any, event: str, arg: object) -> None:
            seen.append(frame.f_code.co_name)

        before = threading.gettrace(), threading.getprofile()
        threading.settrace(trace)
        threading.setprofile(trace)
        try:

            def work() -> None:
                len(seen)

            run(work).join()
        finally:
            threading.settrace(before[0])  # type: ignore[arg-type]
            threading.setprofile(before[1])
        assert seen.count("work") > 1


class TestEvent:
    def test_all_who_wait_are_woken(self) -> None:
        """By one ``set``, and until ``clear`` nobody waits."""
        event, woken = Event(), []
        waiting = [run(lambda: woken.append(event.wait(60))) for _ in range(5)]
        eventually(lambda: len(event._waiters) == 5)
        event.set()
        for thread in waiting:
            thread.join()
        assert [True] * 5 == woken
        assert event.wait(60)
        event.clear()
        assert not event.is_set()
        assert not event.wait(0.001)
        assert not event._waiters

    def test_many_setters_and_one_that_waits(self) -> None:
        """Nothing is lost or raised however sets, waits and clears meet."""
        event, stop = Event(), Event()

        def set_on() -> None:
            while not stop.is_set():
                event.set()

        setters = [run(set_on) for _ in range(2)]
        for _ in range(100):
            assert event.wait(60)
            event.clear()
        stop.set()
        for thread in setters:
            thread.join()

    def test_a_signal_handler_may_set_it(self) -> None:
        """Even the one that interrupts the wait."""
        event = Event()
        before = signal.signal(signal.SIGALRM, lambda *_: event.set())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            assert event.wait(60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def test_a_lock_is_waited_for_until_the_deadline() -> None:
    """And not beyond."""
    lock = Lock()
    assert threads.acquire(lock, clock.monotonic())
    assert not threads.acquire(lock, clock.monotonic() + 0.01)
    run(lock.release).join()
    assert threads.acquire(lock, clock.monotonic() + 60)
    assert not threads.wait_until(lambda: False, clock.monotonic() + 0.01)
    assert threads.wait_until(lambda: True, clock.monotonic() - 1)


@pytest.mark.parametrize("freeze", FREEZERS)
def test_no_clock_of_ours_is_frozen(freeze: Any) -> None:
    """Deadlines come, and files are compared with their real times."""
    real = time.time()
    with freeze("2012-01-14"):
        assert time.time() < 1.4e9
        start = clock.monotonic()
        threads.sleep(0.002)
        assert start < clock.monotonic()
        assert abs(clock.wall() - real) < 3_600
        assert abs(clock.wall_ns() / 1e9 - real) < 3_600


def test_imported_while_the_clock_is_frozen() -> None:
    """The real functions are found behind the frozen ones."""
    code = """
import time
from freezegun import freeze_time
with freeze_time("2012-01-14"):
    from otel_stdlib.facts import clock
start, real = clock.monotonic(), time.time()
with freeze_time("2012-01-14"):
    time.sleep(0.01)
    assert start < clock.monotonic() and abs(clock.wall() - real) < 3600
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
