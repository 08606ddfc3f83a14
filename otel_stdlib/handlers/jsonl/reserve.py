"""Files that a forked child of root opens at once, in case it gives up its privileges before it logs.

The files of a master that runs as root are closed to its workers (mode 0600). A worker that shared its
master's descriptors would share their locks; so a child opens its own while it still may. They are used
only when opening by name is refused, and closed when that succeeds.
"""

from __future__ import annotations

import os

from otel_stdlib.facts.descriptor import file_of

__all__ = ["close", "drop", "keep", "take"]

_File = tuple[int, int] | None
#: By path, what is open and not used.
_held: dict[str, tuple[int, _File]] = {}
#: By descriptor, what is in use: one user at a time, as all would share one lock.
_used: dict[int, tuple[str, _File]] = {}
_pid = os.getpid()


def keep(path: str, flags: int) -> None:
    """Open ``path`` now, where this process is root. In a forked child."""
    _let_go_of_inherited()
    if not hasattr(os, "geteuid") or os.geteuid():
        return
    drop(path)
    try:
        fd = os.open(path, flags)
    except OSError:
        return  # it is made when it is needed, or that is refused
    _held[path] = (fd, file_of(fd))


def take(path: str) -> int | None:
    """The open file, while it is the one that has this name; ``close`` gives it back."""
    _let_go_of_inherited()
    fd, file = _held.get(path, (-1, None))
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if file is None or file != (status.st_dev, status.st_ino) or file_of(fd) != file:
        drop(path)  # rotated away, or closed by the application
        return None
    del _held[path]
    _used[fd] = (path, file)
    return fd


def close(fd: int) -> None:
    """Close a file that ``open_private`` opened; one that was taken from here is kept for the next time."""
    path, file = _used.pop(fd, ("", None))
    if file is None or file_of(fd) != file or _pid != os.getpid():
        os.close(fd)
    else:
        _held[path] = (fd, file)


def drop(path: str) -> None:
    """Close what is held and not used."""
    fd, file = _held.pop(path, (-1, None))
    if file is not None and file_of(fd) == file:
        os.close(fd)


def _let_go_of_inherited() -> None:
    """In a child of such a child: close the copies, which share their locks with the parent's."""
    global _pid
    if _pid == os.getpid():
        return
    _pid = os.getpid()
    _used.clear()  # closed by whoever uses them
    for path in list(_held):
        drop(path)
