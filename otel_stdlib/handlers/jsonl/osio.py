"""Positioned reads and writes, syncing and opening, also where the system has no call for them."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from otel_stdlib.handlers.jsonl import reserve

__all__ = [
    "describe",
    "keep_for_child",
    "open_private",
    "read_at",
    "sync",
    "sync_folder",
    "write_all",
    "write_at",
]

_SAFE = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    # Opening a pipe somebody put in the file's place must not wait for its other end.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_IOV_MAX = 1024


def describe(error: OSError) -> str:
    """What went wrong, and with which file."""
    where = f" ({error.filename!r})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def open_private(path: str, flags: int, mode: int) -> int:
    """Open a regular file, or make it with exactly the permission bits ``mode``; its folder is made 0700.

    Raises:
        OSError: it cannot be opened, or it is a link, a folder, a pipe or a device.
    """
    flags |= os.O_RDWR | _SAFE
    try:
        fd = os.open(path, flags)
        reserve.drop(path)
    except PermissionError:
        reserved = reserve.take(path)
        if reserved is None:
            raise
        fd = reserved
    except FileNotFoundError:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700, exist_ok=True)
        fd = _create(path, flags, mode)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path!r} is not a regular file")
    except BaseException:
        os.close(fd)
        raise
    return fd


def keep_for_child(path: str, flags: int) -> None:
    """In a forked child: open ``path`` for ``open_private``, should that be refused later."""
    reserve.keep(path, flags | os.O_RDWR | _SAFE)


def _create(path: str, flags: int, mode: int) -> int:
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:  # another process was faster
        return os.open(path, flags)
    if hasattr(os, "fchmod"):
        try:
            os.fchmod(fd, mode)  # whatever the umask took away
        except OSError:  # a file system without permission bits
            pass
    return fd


if sys.platform == "win32":

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """Bytes from ``offset``, fewer at the end of the file."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)

    def write_at(fd: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset``."""
        os.lseek(fd, offset, os.SEEK_SET)
        write_all(fd, (data,))

else:

    def read_at(fd: int, size: int, offset: int) -> bytes:
        """Bytes from ``offset``, fewer at the end of the file."""
        return os.pread(fd, size, offset)

    def write_at(fd: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` at ``offset``."""
        done = os.pwrite(fd, data, offset)
        while done < len(data):
            done += os.pwrite(fd, data[done:], offset + done)


def write_all(fd: int, chunks: Sequence[bytes]) -> None:
    """Write every chunk, with one system call where the kernel takes all of it.

    Raises:
        OSError: part of it may be written.
    """
    left = sum(map(len, chunks))
    waiting = list(chunks)
    if len(waiting) > 1 and hasattr(os, "writev"):
        done = os.writev(fd, waiting[:_IOV_MAX])
        if done == left:
            return
        while waiting and done >= len(waiting[0]):
            done -= len(waiting.pop(0))
        if waiting:
            waiting[0] = waiting[0][done:]
    for chunk in waiting:
        done = os.write(fd, chunk)
        if done < len(chunk):
            rest = memoryview(chunk)[done:]
            while rest:
                rest = rest[os.write(fd, rest) :]


def sync(fd: int) -> None:
    """Wait until the file's data, and what is needed to find it, is on the disk."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def sync_folder(path: str) -> None:
    """Wait until the names in a folder are on the disk; nothing where that cannot be asked for."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
