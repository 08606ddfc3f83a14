"""File descriptors that an application may close under this package: noticed before each use.

``os.closerange``, and daemon code that calls it, close what is not theirs; the next file that is opened
then has the same number. A descriptor is therefore used, and closed, only while it is the file that it was.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from otel_stdlib.facts.diagnostics import say

__all__ = ["Descriptor", "DescriptorLost", "file_of", "report_lost"]


class DescriptorLost(OSError):
    """A descriptor was closed by the application, and its file cannot be opened again."""

    def __init__(self) -> None:
        super().__init__(errno.EBADF, "the file's descriptor was closed by the application")


def file_of(fd: int) -> tuple[int, int] | None:
    """Device and inode of an open descriptor; None where it is closed."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def report_lost() -> None:
    """Report that a descriptor was found closed. One line a minute."""
    say(
        "descriptors",
        "the application closed file descriptors of otel_stdlib (os.closerange, or code that becomes a daemon); "
        "they are opened again. Configure logging after that code",
    )


class Descriptor:
    """A file descriptor that is closed when nobody refers to it any more.

    A delivery thread may be inside ``pread`` while the segment is evicted: closing by reference
    count, not by call, keeps the number from being reused under it. In a forked child the same
    rule closes the inherited copy.

    Args:
        fd: an open file; it belongs to this object from now on.
        reopen: opens the same file again, for one that was closed by others; None: it cannot be.
    """

    # Of the class: a signal handler that raises before ``__init__`` leaves an object without its own.
    _fd = -1
    _file: tuple[int, int] | None = None
    _close = staticmethod(os.close)  # ``os`` may be gone when the interpreter ends
    _file_of = staticmethod(file_of)

    def __init__(self, fd: int, reopen: Callable[[], int] | None = None) -> None:
        self._fd = fd
        self.reopen = reopen
        self._file = file_of(fd)

    @property
    def fd(self) -> int:
        """The number, which is that of this object's file at this moment. -1 after ``close``.

        Raises:
            OSError: it was closed by others, and the same file cannot be opened again.
        """
        if self._fd >= 0 and file_of(self._fd) != self._file:
            self._restore()
        return self._fd

    def is_lost(self) -> bool:
        """Whether others closed it."""
        return self._fd >= 0 and file_of(self._fd) != self._file

    def _restore(self) -> None:
        report_lost()
        if self.reopen is None:
            raise DescriptorLost
        fd = self.reopen()
        if file_of(fd) != self._file:
            os.close(fd)
            raise DescriptorLost
        self._fd = fd

    def close(self) -> None:
        """Close it now: only where no other thread can be using it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                if self._file_of(fd) == self._file:
                    self._close(fd)
            except (OSError, TypeError, AttributeError):  # the interpreter's end took parts of it away
                pass

    __del__ = close
