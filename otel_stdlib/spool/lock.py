"""The lock that says a spool directory has an owner.

``flock``, not ``lockf``: a POSIX lock falls when any descriptor of the file is closed in the
process. A forked child inherits a flock with the descriptor; it closes its copy and never
unlocks it, or the parent's lock would fall with it.
"""

from __future__ import annotations

import os
import sys

from otel_stdlib.spool.segment import SAFE_OPEN, Descriptor

if sys.platform == "win32":  # no forks there, and a lock per open file
    import msvcrt
else:
    import fcntl

__all__ = ["LOCK_NAME", "try_lock"]

LOCK_NAME = "lock"


def try_lock(directory_fd: int, *, create: bool = False) -> Descriptor | None:
    """The directory's lock, held until the descriptor is let go; None when somebody else has it.

    None as well when the lock file went away meanwhile: its directory was being deleted.

    Raises:
        OSError: there is no lock file, or it cannot be opened.
    """
    flags = os.O_RDWR | SAFE_OPEN
    if create:
        flags |= os.O_CREAT | os.O_EXCL
    descriptor = Descriptor(os.open(LOCK_NAME, flags, 0o600, dir_fd=directory_fd))
    if not _take(descriptor.fd):
        return None
    held = os.fstat(descriptor.fd)
    try:
        named = os.stat(LOCK_NAME, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if held.st_nlink == 0 or (held.st_dev, held.st_ino) != (named.st_dev, named.st_ino):
        return None
    return descriptor


def _take(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
