"""Doing a few requests at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from otel_stdlib.facts.threads import Thread

__all__ = ["run_together"]

T = TypeVar("T")


def run_together(
    jobs: Sequence[Callable[[], T]], workers: int, name: str, meanwhile: Callable[[], None] | None = None
) -> list[T | Exception]:
    """Run all jobs, up to ``workers`` at a time, the calling thread among them; results in order.

    What a job raises is its result. The threads are daemons, begin with the name by which
    logging knows a delivery thread, and have ended on return: nothing is left to close, and a
    pool's exit hook cannot hold up the end of the process. Where no thread can be started
    any more, the calling thread does everything. It calls ``meanwhile``, which must not raise, when it
    would only wait for the others.
    """
    results: list[T | Exception] = [RuntimeError("the job did not run")] * len(jobs)
    waiting = deque(enumerate(jobs))

    def work() -> None:
        while True:
            try:
                number, job = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = job()
            except Exception as error:
                results[number] = error

    threads: list[Thread] = []
    for number in range(min(workers, len(jobs)) - 1):
        thread = Thread(target=work, name=f"otel-stdlib-{name}-{number + 1}")
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending
            break
        threads.append(thread)
    work()
    if meanwhile is not None and any(thread.is_alive() for thread in threads):
        meanwhile()
    for thread in threads:
        thread.join()
    return results
