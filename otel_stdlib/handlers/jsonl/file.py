"""A file that several processes append blocks of lines to, each block once and whole.

    with file.hold():                        # the lock; an unfinished block is settled
        known = file.stored(key)
        file.append(Block(key, chunks, marks, cursor, stored))

Under the lock a block goes through three steps: the slot in the sidecar says what is about to
be written, the lines are appended, the map in the sidecar takes the new position over. After a
kill at any point the next holder of the lock can tell how far it came.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otel_stdlib.facts.clock import wall
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.descriptor import DescriptorLost, file_of, report_lost
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.jsonl import osio, reserve
from otel_stdlib.handlers.jsonl.block import Block
from otel_stdlib.handlers.jsonl.layout import Entry, Slot
from otel_stdlib.handlers.jsonl.lock import FileLock, abandon_in_children
from otel_stdlib.handlers.jsonl.options import JSONLOptions
from otel_stdlib.handlers.jsonl.rotate import Backups
from otel_stdlib.handlers.jsonl.scan import find_stored
from otel_stdlib.handlers.jsonl.settle import is_settled, settle
from otel_stdlib.handlers.jsonl.sidecar import Sidecar

__all__ = ["SCAN_BUDGET", "BlockFile"]

#: Bytes of the target and its rotated files that are searched after damage, the youngest first.
SCAN_BUDGET = 1 << 30


class BlockFile:
    """One target file with its sidecar and rotated files. Used by one thread at a time.

    Counts what happened besides plain writing: ``blocks_settled``, ``blocks_undone``, ``blocks_missing``,
    ``sidecar_damaged``, ``sidecar_rebuilt``, ``tails_repaired``, ``rotated``, ``rotation_failed``, ``reopened``.

    Args:
        options: the file and its rotation.
        counters: where to count; None: counters of its own.
        wall: seconds since 1970 UTC.
    """

    def __init__(
        self,
        options: JSONLOptions,
        *,
        counters: Counters | None = None,
        wall: Callable[[], float] = wall,
    ) -> None:
        self.path = options.target
        self.counters = counters or Counters()
        self.backups = Backups(self.path, options.backup_count)
        #: Called with the lock held after each rotation.
        self.on_rotated: Callable[[], None] | None = None
        self._options = options
        self._schedule = options.schedule
        self._wall = wall
        self._lock = FileLock(options.sidecar_of(self.path), options.bits)
        self._sidecar = Sidecar(wall)
        self._lock_fd = -1
        self._fd = -1
        #: Device and inode of the open target.
        self._file: tuple[int, int] | None = None
        self._size = 0

    # -- the lock ------------------------------------------------------------------------

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Take the lock, settle what a killed process left, and stand at the end of the target.

        Raises:
            RetryableError: anything that the system refused, in here or in the body.
        """
        try:
            self._enter()
            try:
                yield
            finally:
                self._lock.release()
        except BaseException as error:
            self._close_target()
            self._sidecar.distrust()
            if not isinstance(error, OSError):
                raise
            raise RetryableError(f"JSONL file {self.path!r}: {osio.describe(error)}") from error

    def _enter(self) -> None:
        hold = self._lock.acquire()
        try:
            self._lock_fd = hold.fd
            try:
                self._sidecar.refresh(hold)
            finally:
                if hold.former is not None:
                    reserve.close(hold.former)
            self._settle()
            self._attach()
        except BaseException:
            self._lock.release()
            raise

    def _settle(self) -> None:
        suspect = self._sidecar.suspect
        if suspect:
            if self._sidecar.damaged:
                self.counters.add("sidecar_damaged", self._sidecar.damaged)
            self._sidecar.begin_repair()
        if not is_settled(self._sidecar):
            self.counters.add(settle(self._sidecar, self.path))
        if suspect:
            self._repair()

    def _repair(self) -> None:
        sidecar = self._sidecar
        found = find_stored([self.path, *self.backups.existing()], SCAN_BUDGET)
        if sidecar.lost and (found or sidecar.damaged):
            self.counters.add("sidecar_rebuilt")
        sidecar.repair(found)
        if self._options.fsync:
            osio.sync(self._lock_fd)
            osio.sync_folder(os.path.dirname(self._lock.path))

    # -- the target ----------------------------------------------------------------------

    def _attach(self) -> None:
        """Have the file that is at the path now open, and know its size."""
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            status = None
        if self._fd >= 0 and file_of(self._fd) != self._file:
            self._fd = -1  # closed by the application: the number is another file's now, or will be
            report_lost()
        if status is None or self._fd < 0 or self._file != (status.st_dev, status.st_ino):
            if self._file is not None:
                self.counters.add("reopened")
            self._open_target()
        elif status.st_size != self._size:
            self._size = status.st_size
            self._end_last_line()

    def _open_target(self) -> None:
        self._close_target()
        abandon_in_children(self)
        self._fd = osio.open_private(self.path, os.O_APPEND, self._options.bits)
        status = os.fstat(self._fd)
        self._file = (status.st_dev, status.st_ino)
        self._size = status.st_size
        self._end_last_line()
        if self._options.fsync:
            osio.sync_folder(os.path.dirname(self.path))

    def _end_last_line(self) -> None:
        # What stands there is not ours (ours was settled): it stays, but our next line begins anew.
        if self._size and osio.read_at(self._fd, 1, self._size - 1) != b"\n":
            osio.write_all(self._fd, (b"\n",))
            self._size += 1
            self.counters.add("tails_repaired")

    def _close_target(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and file_of(fd) == self._file:
            reserve.close(fd)

    def _check(self) -> None:
        """Raise an ``OSError`` where the application closed a descriptor, and may have a file of its own there."""
        if self._lock.is_lost() or file_of(self._fd) != self._file:
            raise DescriptorLost

    # -- inside a hold ---------------------------------------------------------------------

    def stored(self, key: str) -> Entry | None:
        """How far a spool is stored; None when nothing is known of it."""
        entry = self._sidecar.entry(key)
        if self._sidecar.suspect:
            self._settle()
            self._attach()
            entry = self._sidecar.entry(key)
        return entry

    def advance(self, key: str, cursor: int, stored: int) -> None:
        """Keep a new position without lines."""
        self._sidecar.put(key, cursor, stored)

    def forget(self, key: str) -> None:
        """Drop the position of a spool."""
        self._sidecar.forget(key)

    def append(self, block: Block) -> None:
        """Write lines, rotating before and between them where that is due, and keep the new position.

        Raises:
            OSError: what could not be written is taken out again; lines before a rotation may be
                stored, and their position is kept.
        """
        if self._schedule is not None:
            self._rotate_by_time()
        rest: Block | None = block
        limit = self._options.max_bytes
        while rest is not None:
            if not limit or self._size + rest.length <= limit:
                self._put(rest)
                return
            head, tail = rest.cut(max(limit - self._size, 0))
            if head is None:
                if self._size and self._rotate():
                    continue
                # One line that is longer than a file may be; or it cannot rotate now, and then
                # a file that is too long is better than records that wait.
                head, tail = (rest, None) if self._size else rest.first_line()
            self._put(head)
            rest = tail

    def _put(self, block: Block) -> None:
        sidecar = self._sidecar
        assert self._file is not None
        # The entry is made before the slot: a full disk must not show between the lines and the map.
        start = sidecar.prepare(block.key) if block.key else 0
        place = (self._file[1], self._size, block.length, block.crc)
        self._check()
        sidecar.open_slot(Slot(0, block.key, start, block.cursor, block.stored, *place))
        try:
            if self._options.fsync:
                osio.sync(self._lock_fd)
            self._check()
            osio.write_all(self._fd, block.chunks)
            if self._options.fsync:
                osio.sync(self._fd)
        except OSError:
            self._undo()
            raise
        self._size += block.length
        self._check()
        if block.key:
            sidecar.put(block.key, block.cursor, block.stored)
        else:
            sidecar.clear_slot()

    def _undo(self) -> None:
        """Take a block out that was written in part; left to the next holder when that fails, too."""
        slot = self._sidecar.slot
        try:
            self._check()
            if slot.offset < os.fstat(self._fd).st_size <= slot.offset + slot.length:
                os.ftruncate(self._fd, slot.offset)
            self._sidecar.clear_slot()
        except OSError:
            pass

    def _rotate_by_time(self) -> None:
        schedule = self._schedule
        assert schedule is not None
        header = self._sidecar.header
        now = self._wall()
        due = header.rollover
        if header.schedule != schedule.digest:
            due = schedule.next_after(os.fstat(self._fd).st_mtime if self._size else now)
            if due > now:
                self._sidecar.keep_rollover(schedule.digest, due)
        if due <= now and (not self._size or self._rotate()):
            self._sidecar.keep_rollover(schedule.digest, schedule.next_after(now))

    def _rotate(self) -> bool:
        """Begin a new file; False when that is impossible now."""
        self._close_target()  # Windows renames no file that is open
        try:
            self.backups.shift()
        except OSError:
            self.counters.add("rotation_failed")
            self._file = None
            self._attach()
            return not self._size
        self._file = None
        self._attach()
        self.counters.add("rotated")
        if self.on_rotated is not None:
            self.on_rotated()
        return True

    # -- the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """Close the descriptors."""
        self._close_target()
        self._lock.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited copies."""
        if self._fd >= 0:
            self._close_target()
            osio.keep_for_child(self.path, os.O_APPEND)
