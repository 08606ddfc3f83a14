"""One lock per target file, on its sidecar.

``flock``, not ``lockf``: a POSIX lock falls when any descriptor of the file is closed in the
process, and does not hold between two threads. A flock belongs to the open file, which a forked
child shares: the child closes its copy and never unlocks, or the parent would lose the lock
in the middle of a block.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.descriptor import file_of, report_lost
from otel_stdlib.facts.filelock import try_lock, unlock
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.facts.threads import sleep
from otel_stdlib.handlers.jsonl import reserve
from otel_stdlib.handlers.jsonl.osio import keep_for_child, open_private

__all__ = ["FileLock", "Hold", "abandon_all", "abandon_in_children"]


class Hold(NamedTuple):
    """What taking the lock found."""

    fd: int
    #: The file was opened for this hold: nothing that was read before counts.
    fresh: bool
    #: The locked descriptor of the file that stood at the path before it was removed or replaced:
    #: its content is the newer truth. The caller closes it.
    former: int | None


class FileLock:
    """The lock on the file at ``path``; the descriptor stays open between two holds.

    Not thread-safe. Two objects exclude each other, in one process too.
    """

    def __init__(self, path: str, mode: int, timeout: float = 5.0) -> None:
        self.path = path
        self._mode = mode
        #: Seconds that ``acquire`` waits for other holders, each of which needs about a millisecond.
        self.timeout = timeout
        self._fd = -1
        self._file: tuple[int, int] | None = None
        self._pid = os.getpid()

    def is_lost(self) -> bool:
        """Whether the application closed the descriptor."""
        return self._fd >= 0 and file_of(self._fd) != self._file

    def acquire(self) -> Hold:
        """Take the lock on the file that is at the path now; it is made when there is none.

        Raises:
            TimeoutError: others held it all the time.
            OSError: the file cannot be opened or made.
        """
        if self._pid != os.getpid():  # a fork that ran no Python hook
            self.abandon()
        if self.is_lost():
            self._fd = -1  # the number is the application's now
            report_lost()
        deadline = monotonic() + self.timeout
        fresh = False
        former: int | None = None
        try:
            while True:
                if self._fd < 0:
                    abandon_in_children(self)
                    self._fd = open_private(self.path, 0, self._mode)
                    self._file = file_of(self._fd)
                    fresh = True
                self._wait(deadline)
                if self._is_at_path():
                    return Hold(self._fd, fresh, former)
                gone, self._fd = self._fd, -1
                if former is None and not fresh:
                    former = gone
                else:
                    _let_go(gone)
        except BaseException:
            if former is not None:
                unlock(former)
                if self._fd >= 0:
                    reserve.close(self._fd)
                self._fd = former  # kept: the next try reads from it what the lost file knew
                self._file = file_of(former)
            raise

    def _wait(self, deadline: float) -> None:
        # Polling, as a wait inside flock has no end: one stopped process would stop all for good.
        pause = 0.0002
        while not try_lock(self._fd):
            if monotonic() >= deadline:
                raise TimeoutError(f"{self.path!r} is locked by another process for over {self.timeout:g} s")
            sleep(pause)
            pause = min(pause * 2, 0.01)

    def _is_at_path(self) -> bool:
        try:
            named = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        held = os.fstat(self._fd)
        return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)

    def release(self) -> None:
        """Give the lock back; the descriptor stays."""
        if self._fd >= 0 and self._pid == os.getpid() and not self.is_lost():
            unlock(self._fd)

    def close(self) -> None:
        """Close the descriptor, outside of a hold."""
        fd = -1 if self.is_lost() else self._fd
        self._fd = -1
        if fd >= 0:
            reserve.close(fd)

    def abandon(self) -> None:
        """In a forked child: close the inherited copy and begin anew."""
        was_open = self._fd >= 0
        self.close()
        self._pid = os.getpid()
        if was_open:
            keep_for_child(self.path, 0)


def _let_go(fd: int) -> None:
    # Unlocked by name: a forked child may hold a copy, and then closing alone frees nothing.
    unlock(fd)
    reserve.close(fd)


class _Heir(Protocol):
    def abandon(self) -> None: ...


def _abandon(heir: _Heir) -> None:
    try:
        heir.abandon()
    except OSError:
        pass


_heirs: ForkRegistry[_Heir] = ForkRegistry(_abandon)
#: Call ``heir.abandon()`` in every child that this process forks from now on.
abandon_in_children = _heirs.add
#: Close every descriptor inherited from the parent. For children of a C-level ``fork()``, too.
abandon_all = _heirs.run
