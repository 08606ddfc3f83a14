from __future__ import annotations

import threading
from functools import partial

import pytest

from otel_stdlib.facts.threads import Thread
from otel_stdlib.handlers.parallel import run_together


def test_results_and_errors_in_order() -> None:
    """Each job's result or exception stands at its place."""

    def job(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number * 2

    results = run_together([partial(job, number) for number in range(10)], 3, "x")
    assert isinstance(results[3], ValueError)
    assert [0, 2, 4, 8, 10, 12, 14, 16, 18] == [r for r in results if not isinstance(r, Exception)]
    assert [] == run_together([], 3, "x")


def test_jobs_run_at_the_same_time_on_named_daemons() -> None:
    """As many jobs as workers meet; their threads are known to logging and are gone afterwards."""
    barrier = threading.Barrier(3, timeout=60)
    seen: list[threading.Thread] = []

    def job() -> None:
        seen.append(threading.current_thread())
        barrier.wait()

    run_together([job] * 3, 3, "es")
    helpers = [thread for thread in seen if thread is not threading.current_thread()]
    assert ["otel-stdlib-es-1", "otel-stdlib-es-2"] == sorted(thread.name for thread in helpers)
    assert all(thread.daemon and thread not in threading.enumerate() for thread in helpers)


def test_without_threads_everything_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the interpreter's end no thread starts: the caller does the work."""

    def refuse(self: Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(Thread, "start", refuse)
    assert [1, 1, 1] == run_together([lambda: 1] * 3, 3, "x")


def test_the_caller_has_something_to_do_while_it_waits() -> None:
    """It is called while another thread's job is not done yet, and not where there is no other one."""
    called, both = threading.Event(), threading.Barrier(2, timeout=10)
    caller = threading.current_thread()

    def job() -> bool:
        both.wait()
        return threading.current_thread() is caller or called.wait(10)

    assert [True, True] == run_together([job] * 2, 2, "x", called.set)
    called.clear()
    assert [False] == run_together([called.is_set], 2, "x", called.set)
    assert not called.is_set()
