"""Spools that dead processes left: found, locked, read, and deleted when delivered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from otel_stdlib.facts.errors import SpoolUnavailable
from otel_stdlib.spool.cursor import CursorFile, cursor_name
from otel_stdlib.spool.directory import MANIFEST_NAME, NEWBORN_PREFIX, SpoolDirectory, remove_newborn
from otel_stdlib.spool.frame import seed_of
from otel_stdlib.spool.ids import is_spool_id
from otel_stdlib.spool.manifest import Manifest, Target
from otel_stdlib.spool.reader import Reader
from otel_stdlib.spool.segment import SAFE_OPEN, Descriptor, parse_header, segment_name

__all__ = ["Orphan", "OrphanSegment", "OrphanStore", "Scanner", "tidy"]

_SEGMENT = re.compile(r"([0-9a-f]{8})\.seg\Z")
_HEADER_READ = 256 << 10


class OrphanSegment:
    """A dead process's segment, open for reading."""

    def __init__(self, directory_fd: int, number: int) -> None:
        flags = os.O_RDONLY | SAFE_OPEN
        self.descriptor = Descriptor(os.open(segment_name(number), flags, dir_fd=directory_fd))
        self.number = number
        self.capacity = os.fstat(self.descriptor.fd).st_size
        header = parse_header(self.read_at(0, _HEADER_READ))
        whole = header is not None and header.number == number
        self.header_size = header.size if header is not None and whole else None
        self.manifest = header.manifest if header is not None and whole else b""

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from ``offset``, fewer at the end."""
        return os.pread(self.descriptor.fd, size, offset)


class OrphanStore:
    """The segments of an orphan, one open at a time: a store for one reader."""

    def __init__(self, directory: SpoolDirectory, numbers: Sequence[int]) -> None:
        self._directory = directory
        self._numbers = numbers
        self._open: OrphanSegment | None = None
        last = self.segment(numbers[-1]) if numbers else None
        self._head = 0 if last is None else (last.number << 32) + last.capacity

    def head(self) -> int:
        """The end of its last segment."""
        return self._head

    def segment(self, number: int) -> OrphanSegment | None:
        """A segment; None when it is gone.

        Raises:
            OSError: it cannot be read now (no descriptors left, a failing disk). Its records still wait.
        """
        if self._open is not None and self._open.number == number and not self._open.descriptor.is_lost():
            return self._open
        try:
            self._open = OrphanSegment(self._directory.fd, number)
        except FileNotFoundError:
            return None
        return self._open

    def next_number(self, after: int) -> int | None:
        """The lowest segment number above ``after``."""
        return next((number for number in self._numbers if number > after), None)


class Orphan:
    """An adopted spool: its manifest, its segments, and a cursor for each of its targets.

    The lock is held until ``remove`` or ``release``. Nothing is ever appended to it.

    Raises:
        OSError: it cannot be read now.
    """

    def __init__(self, directory: SpoolDirectory) -> None:
        self.directory = directory
        self.spool_id = directory.spool_id
        self.seed = seed_of(self.spool_id)
        self._numbers = sorted(int(m[1], 16) for m in map(_SEGMENT.match, directory.names()) if m)
        self.manifest = self._find_manifest()
        self._head = self.new_store().head()

    def new_store(self) -> OrphanStore:
        """Its segments for one more reader."""
        return OrphanStore(self.directory, self._numbers)

    def _find_manifest(self) -> Manifest | None:
        for data in self._manifest_copies():
            manifest = Manifest.parse(data)
            if manifest is not None and manifest.spool_id == self.spool_id:
                return manifest
        return None

    def _manifest_copies(self) -> Iterator[bytes]:
        yield self._read_manifest()
        store = self.new_store()
        for number in self._numbers:
            segment = store.segment(number)
            if segment is not None:
                yield segment.manifest

    def _read_manifest(self) -> bytes:
        try:
            fd = os.open(MANIFEST_NAME, os.O_RDONLY | SAFE_OPEN, dir_fd=self.directory.fd)
        except FileNotFoundError:
            return b""
        try:
            return os.read(fd, 1 << 20)
        finally:
            os.close(fd)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The destinations that its records are for; none when no copy of its manifest is whole."""
        return () if self.manifest is None else tuple(self.manifest.targets)

    def cursor(self, target_hash: str) -> CursorFile:
        """A target's cursor file.

        Raises:
            OSError: it cannot be opened.
        """
        return CursorFile(self.directory.fd, cursor_name(target_hash))

    def is_settled(self, target_hash: str) -> bool:
        """Whether a target has everything. What cannot be read now is not settled."""
        try:
            value = self.cursor(target_hash).value
            return value >= self._head or self._is_empty_from(value)
        except OSError:
            return False

    def _is_empty_from(self, lsn: int) -> bool:
        # Damaged records are no reason to delete it here: delivery skips and counts them.
        found = Reader(self.new_store(), self.seed).read(lsn, 1, 1 << 50)
        return not found.frames and not found.damaged

    def is_finished(self) -> bool:
        """Whether nothing in it waits any more. Records that no destination was named for still wait."""
        if self.manifest is None:
            # Without segments its deletion had begun, which leaves the lock to the end.
            return not self._numbers
        if self.targets:
            return all(self.is_settled(target.hash) for target in self.targets)
        try:
            return self._is_empty_from(0)
        except OSError:
            return False

    def size_bytes(self) -> int:
        """The size of its segments."""
        return sum(os.stat(segment_name(n), dir_fd=self.directory.fd).st_size for n in self._numbers)

    def remove(self) -> None:
        """Everything is delivered: delete it.

        Raises:
            OSError: the directory cannot be deleted now.
        """
        self.directory.remove()

    def release(self) -> None:
        """Leave it for another adopter."""
        self.directory.release()


class Scanner:
    """Looks for orphans in one root, cheaply: what is known to have no work here is skipped for a while.

    Args:
        root: the folder of spools.
        own: answers with the ids of spools that this process holds.
    """

    def __init__(self, root: Descriptor, own: Callable[[], Iterable[str]]) -> None:
        self._root = root
        self._own = own
        self._skip_until: dict[str, float] = {}

    def skip(self, spool_id: str, until: float) -> None:
        """Do not look at a spool before ``until`` (monotonic seconds)."""
        self._skip_until[spool_id] = until

    def is_gone(self, spool_id: str) -> bool:
        """Whether there is no such spool any more."""
        try:
            os.stat(spool_id, dir_fd=self._root.fd, follow_symlinks=False)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return False

    def scan(self, now: float) -> Iterator[Orphan]:
        """Orphans, locked, oldest first. The caller takes as many as it can serve."""
        try:
            names = sorted(os.listdir(self._root.fd))
        except OSError:
            return
        present = set(names)
        for gone in [name for name in self._skip_until if name not in present]:
            del self._skip_until[gone]
        own = set(self._own())
        for name in names:
            if name.startswith(NEWBORN_PREFIX):
                remove_newborn(self._root, name)
            elif is_spool_id(name) and name not in own and self._skip_until.get(name, now) <= now:
                orphan = self._adopt(name)
                if orphan is not None:
                    yield orphan

    def _adopt(self, name: str) -> Orphan | None:
        try:
            directory = SpoolDirectory.adopt(self._root, name)
        except FileNotFoundError:
            # Its lock went last: only an empty directory has none, left by a kill in ``remove``.
            try:
                os.rmdir(name, dir_fd=self._root.fd)
            except OSError:
                pass
            return None
        except (OSError, SpoolUnavailable):
            return None
        if directory is None:
            return None
        try:
            return Orphan(directory)
        except OSError:
            directory.release()
            return None


def tidy(root: Descriptor) -> int:
    """Delete the spools of dead processes in which nothing waits; how many there were."""
    count = 0
    for orphan in Scanner(root, lambda: ()).scan(0.0):
        if orphan.is_finished():
            try:
                orphan.remove()
                count += 1
                continue
            except OSError:
                pass  # a folder that may only be read
        orphan.release()
    return count
