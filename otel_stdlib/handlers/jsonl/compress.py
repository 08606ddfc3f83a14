"""Compressing rotated files, beside delivery and safe from a kill."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.descriptor import Descriptor, DescriptorLost
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.filelock import try_lock, unlock
from otel_stdlib.facts.threads import Event, Lock, Thread
from otel_stdlib.handlers.jsonl import osio
from otel_stdlib.handlers.jsonl.file import BlockFile
from otel_stdlib.handlers.jsonl.lock import abandon_in_children
from otel_stdlib.handlers.jsonl.options import JSONLOptions

__all__ = ["Compressor"]

#: One read; compressing it releases the GIL.
_PIECE = 256 << 10
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Compressor:
    """A short-lived thread that compresses what is rotated and not compressed yet.

    The result is written beside under a hidden name, and takes the place of the plain file only
    when it is whole and on the disk. A process that dies on the way leaves the plain file and a
    hidden one, and the next process begins again. Of several processes one does the work.
    """

    def __init__(self, options: JSONLOptions, counters: Counters) -> None:
        self._options = options
        self._counters = counters
        self._stop = Event()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._again = False
        #: Descriptors that a forked child must not keep.
        self._open: list[Descriptor] = []

    def wake(self) -> None:
        """Look for files to compress, soon. Never raises, never waits."""
        abandon_in_children(self)
        with self._lock:
            self._again = True
            if self._stop.is_set() or self._thread is not None:
                return
            thread = Thread(target=self._run, name="otel-stdlib-gzip")
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends: the next process does it
                return
            self._thread = thread

    def close(self, timeout: float) -> None:
        """Stop; what is half done is left for later."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def abandon(self) -> None:
        """In a forked child: close the inherited copies."""
        inherited, self._open = self._open, []
        for each in inherited:
            each.close()

    def _more(self) -> bool:
        with self._lock:
            more, self._again = self._again and not self._stop.is_set(), False
            if not more:
                self._thread = None
            return more

    def _run(self) -> None:
        while self._more():
            file = BlockFile(self._options, counters=self._counters)
            try:
                self.compress_all(file)
            except DescriptorLost:  # the application closed one: begin again
                self._again = True
            except (OSError, RetryableError):
                self._counters.add("compression_failed")
            finally:
                file.close()

    def compress_all(self, file: BlockFile) -> None:
        """Compress every plain rotated file, the oldest first.

        Raises:
            OSError: the disk is full, for example; the plain file stays.
            RetryableError: the target's lock cannot be had.
        """
        with file.hold():  # a block that a dead process left open in a rotated file is settled
            file.backups.tidy()
        self._sweep()
        for number in range(self._options.backup_count, 0, -1):
            while not self._stop.is_set():
                try:
                    fd = os.open(file.backups.plain(number), _READ)
                except FileNotFoundError:
                    break
                with self._closing(fd) as source:
                    if not self._compress(file, source):
                        break

    def _compress(self, file: BlockFile, source: Descriptor) -> bool:
        """Replace one file, whatever its number is by the end; False when it is left as it is.

        Raises:
            DescriptorLost: the application closed a descriptor on the way; the plain file stays.
        """
        before = os.fstat(source.fd)
        temporary = self._temporary(before.st_ino)
        with self._closing(osio.open_private(temporary, 0, self._options.bits)) as out:
            if not _own(out.fd, temporary):
                return False
            os.ftruncate(out.fd, 0)
            try:
                if not self._pack(source, out):
                    os.unlink(temporary)
                    return False
                osio.sync(out.fd)
                with file.hold():
                    return self._swap(file, temporary, source, before)
            except BaseException:
                _unlink(temporary)
                raise

    @contextmanager
    def _closing(self, fd: int) -> Iterator[Descriptor]:
        descriptor = Descriptor(fd)
        self._open.append(descriptor)
        try:
            yield descriptor
        finally:
            self._open = [each for each in self._open if each is not descriptor]
            descriptor.close()

    def _pack(self, source: Descriptor, out: Descriptor) -> bool:
        engine = zlib.compressobj(6, zlib.DEFLATED, 31)
        # ``fd`` looks each time: a large file takes long enough for an application to become a daemon meanwhile.
        while data := os.read(source.fd, _PIECE):
            if self._stop.is_set():
                return False
            osio.write_all(out.fd, (engine.compress(data),))
        osio.write_all(out.fd, (engine.flush(),))
        return True

    def _swap(self, file: BlockFile, temporary: str, source: Descriptor, before: os.stat_result) -> bool:
        number = file.backups.number_of(before.st_ino)
        after = os.fstat(source.fd)
        changed = (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns)
        if number is None or changed:  # rotated away meanwhile, or somebody still writes to it
            os.unlink(temporary)
            return False
        os.rename(temporary, file.backups.packed(number))
        if self._options.fsync:
            osio.sync_folder(os.path.dirname(temporary))
        # Killed here, both are there; whoever takes the lock to rotate or compress deletes the plain one.
        os.unlink(file.backups.plain(number))
        self._counters.add("compressed")
        return True

    def _temporary(self, inode: int) -> str:
        folder, name = os.path.split(self._options.target)
        return os.path.join(folder, f".{name}.{inode:x}.gz-new")

    def _sweep(self) -> None:
        """Delete unfinished results of dead processes."""
        folder, name = os.path.split(self._options.target)
        with os.scandir(folder) as entries:
            found = [e.path for e in entries if e.name.startswith(f".{name}.") and e.name.endswith(".gz-new")]
        for path in found:
            try:
                fd = os.open(path, _READ)
            except FileNotFoundError:
                continue
            unfinished = Descriptor(fd)
            try:
                if _own(unfinished.fd, path):
                    os.unlink(path)
            finally:
                unfinished.close()


def _own(fd: int, path: str) -> bool:
    """Whether nobody else works on this file, and it is still the one at the path."""
    if not try_lock(fd):
        return False
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if os.fstat(fd).st_ino == named.st_ino:
        return True
    unlock(fd)
    return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
