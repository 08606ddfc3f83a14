"""One file of lines that several processes append to, turn over and clear, one at a time.

The lock is a ``flock`` on the file itself. Turning over and clearing put another file in its
place, so whoever gets the lock looks whether the file still has its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.descriptor import Descriptor
from otel_stdlib.facts.filelock import try_lock
from otel_stdlib.facts.threads import sleep

__all__ = ["append", "hold", "replace_lines"]

#: Seconds to wait for another process's write, which takes some milliseconds.
_PATIENCE = 2.0
_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    # Opening a pipe somebody put in the file's place must not wait for its other end.
    | getattr(os, "O_NONBLOCK", 0)
)


@contextmanager
def hold(path: Path, *, create: bool = True, patience: float = _PATIENCE) -> Iterator[int]:
    """The file's descriptor, with the lock that keeps every other process off it.

    Raises:
        OSError: it cannot be opened, is a link, is locked for longer than ``patience`` seconds, or the
            application has closed it meanwhile.
    """
    deadline = monotonic() + patience
    while True:
        # While it waits for the lock the application may close it, and open a file of its own with its number.
        file = Descriptor(os.open(path, _FLAGS | (os.O_CREAT if create else 0), 0o600))
        try:
            _lock(file, path, deadline)
            if _has_name(file.fd, path):
                yield file.fd
                return
        finally:
            file.close()  # the lock is released with it


def _lock(file: Descriptor, path: Path, deadline: float) -> None:
    while not try_lock(file.fd):
        if monotonic() >= deadline:
            raise BlockingIOError(f"{path} is locked by another process")
        sleep(0.002)


def _has_name(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def append(fd: int, block: bytes) -> None:
    """Write all of ``block`` at the end, behind whole lines only; on failure cut it off again. Locked.

    Raises:
        OSError: it could not be written; the file ends as it did before.
    """
    end = os.fstat(fd).st_size
    if end:
        os.lseek(fd, end - 1, os.SEEK_SET)
        if os.read(fd, 1) != b"\n":
            block = b"\n" + block  # a line torn by a kill ends here
    view = memoryview(block)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        os.ftruncate(fd, end)
        raise


def replace_lines(path: Path, keep: Callable[[bytes], bool]) -> int:
    """Leave only the lines that ``keep`` says yes to; how many went. A file with none left is deleted.

    Atomic: a kill leaves the file as it was or as it should be.

    Raises:
        OSError: the file is not there, or cannot be locked or written.
    """
    fresh = path.with_name(f"{path.name}.new")
    with hold(path, create=False) as fd, open(fd, "rb", closefd=False) as file:
        file.seek(0)
        gone = 0
        # A former one that a kill left is written over: whoever holds the lock owns it.
        fresh.unlink(missing_ok=True)
        out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(out, "wb") as target:
            for line in file:
                if keep(line):
                    target.write(line)
                else:
                    gone += 1
            target.flush()
            os.fsync(target.fileno())
            empty = target.tell() == 0
        if empty:
            # Whoever waits for the lock sees that the name is gone, and makes a new file.
            path.unlink()
            fresh.unlink()
        else:
            os.replace(fresh, path)
    return gone
