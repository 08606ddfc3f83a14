"""A few requests at once, and one answer from theirs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from otel_stdlib.delivery.contract import STORED, Outcome
from otel_stdlib.facts.errors import DeliveryError, RetryableError, ThrottledError
from otel_stdlib.facts.threads import Thread, is_green

__all__ = ["merge_answers", "run_together"]

T = TypeVar("T")


def run_together(
    jobs: Sequence[Callable[[], T]], workers: int, name: str, meanwhile: Callable[[], None] | None = None
) -> list[T | Exception]:
    """Run all jobs, up to ``workers`` at a time, the calling thread among them; results in order.

    What a job raises is its result. The threads are daemons, begin with the name by which
    logging knows a delivery thread, and have ended on return: nothing is left to close, and a
    pool's exit hook cannot hold up the end of the process. Where no thread can be started any
    more, and under gevent and eventlet, the calling thread does everything. It calls ``meanwhile``,
    which must not raise, when it would only wait for the others.
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
    if is_green():  # a driver's locks are those of greenlets then, which threads must not wait for
        workers = 1
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


def merge_answers(
    answers: Sequence[list[Outcome] | Exception | None],
    sizes: Sequence[int],
    later: Callable[[DeliveryError], Outcome],
) -> list[Outcome] | None:
    """One answer for a batch from those for its parts, which have ``sizes`` records.

    ``later`` is the outcome of the records of a part that failed while others are settled: sent again
    alone, a part refused as a unit is then a batch refused as a unit, and is halved.

    Raises:
        DeliveryError: every part failed.
        Exception: a part failed in another way.
    """
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, DeliveryError):
            raise answer
    errors = [answer for answer in answers if isinstance(answer, DeliveryError)]
    if errors and len(errors) == len(answers):
        raise max(errors, key=_weight)
    if all(answer is None for answer in answers):
        return None
    outcomes: list[Outcome] = []
    for answer, size in zip(answers, sizes, strict=True):
        if isinstance(answer, DeliveryError):
            outcomes += [later(answer)] * size
        elif isinstance(answer, list):
            outcomes += answer
        else:
            outcomes += [STORED] * size
    return outcomes


def _weight(error: DeliveryError) -> float:
    """The longest pause that a server asked for counts most, then what can be tried again."""
    if isinstance(error, ThrottledError):
        return 1.0 + error.retry_after
    return 1.0 if isinstance(error, RetryableError) else 0.0
