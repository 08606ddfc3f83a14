"""A process that logs as fast as it can and says over a pipe which log calls have returned."""

from __future__ import annotations

import os
import struct
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from tests.proof.loggers import Adapter

__all__ = ["ACK", "Plan", "in_child", "write"]

#: Writer and number of a record whose log call has returned. One write of eight bytes to a pipe is atomic.
ACK = struct.Struct("<II")
#: Each writer process may use this many writer ids: its threads, and those of its child.
IDS = 16


class Plan(NamedTuple):
    """What the writers of one round do, and when they are killed. Times in seconds."""

    writers: int
    threads: int
    #: The records after which a writer forks in the middle of its logging; None: it does not.
    fork_after: int | None
    #: The length of the text that fills a record up.
    padding: int
    #: Bytes after which the file rotates; 0: never.
    max_bytes: int
    kill_after: float
    #: Seconds after which the process that recovers is killed as well; None: it may finish.
    kill_successor_after: float | None


def in_child(work: Callable[[], None], stderr: Path) -> int:
    """Run ``work`` in a forked child with a process group of its own; the child's pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        # Forking while threads run is the point here; 3.12 and later warn of it.
        warnings.simplefilter("ignore")
        work()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def write(adapter: Adapter, folder: Path, plan: Plan, number: int, pipe: int) -> NoReturn:
    """Log until killed, from ``plan.threads`` threads, and in a forked child too when the plan says so."""
    log = adapter.setup(folder, plan.max_bytes)
    padding = "x" * plan.padding
    forked = threading.Event()

    def run(writer: int, may_fork: bool) -> None:
        count = 0
        while True:
            log(f"w={writer} n={count} {padding}")
            os.write(pipe, ACK.pack(writer, count))
            count += 1
            if may_fork and count == plan.fork_after and not forked.is_set():
                forked.set()
                if os.fork() == 0:
                    writer, count, may_fork = writer + IDS // 2, 0, False

    first = number * IDS
    others = [threading.Thread(target=run, args=(first + n, False)) for n in range(1, plan.threads)]
    for thread in others:
        thread.start()
    run(first, plan.fork_after is not None)
    raise AssertionError("not reached")
