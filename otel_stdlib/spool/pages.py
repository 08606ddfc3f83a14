"""Files of counts that survive their process: one for each 64 keys, mapped by its owner, read by who comes after.

A page lies in the folder of spools. Its owner holds its lock; one without an owner is read, and deleted,
by another process. Reading is by ``pread``, and a slot whose text is not complete has no text.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

from otel_stdlib.facts.descriptor import Descriptor
from otel_stdlib.facts.filelock import try_lock, unlock
from otel_stdlib.spool.ids import new_spool_id
from otel_stdlib.spool.segment import SAFE_OPEN

__all__ = ["Counted", "Page", "leftover_pages"]

_MAGIC = b"OTSPAGE1"
_HEADER = 64
_SLOT = 2_048
_SLOTS = 64
_SIZE = _HEADER + _SLOT * _SLOTS
#: Native: each of the three is one store, which a kill cannot tear. Count, first and last time.
_COUNTS = struct.Struct("@Qdd")
#: Length of the text and its checksum.
_TEXT = struct.Struct("@II")
_TEXT_AT = _COUNTS.size + _TEXT.size
_ROOM = _SLOT - _TEXT_AT
_NAME = re.compile(r"([0-9a-z_.-]+)-([0-9A-Z]{26})\.counts\Z")


class Counted(NamedTuple):
    """One slot that counts."""

    number: int
    #: Seconds since 1970.
    first: float
    last: float
    #: What its owner wrote about it; empty where there was no room, or no time.
    text: bytes


class Page:
    """A page of this process. One thread at a time.

    Args:
        root: the folder of spools.
        kind: lower-case letters, digits and ``_.-``: who may take it over.

    Raises:
        OSError: it cannot be made; nothing is left behind.
    """

    def __init__(self, root: Descriptor, kind: str) -> None:
        self._root = root
        self.name = f"{kind}-{new_spool_id()}.counts"
        #: The name under which it is locked, and then renamed: nobody takes over one that is half made.
        born = f".new-{self.name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_OPEN
        self._descriptor = Descriptor(os.open(born, flags, 0o600, dir_fd=root.fd))
        try:
            if not try_lock(self._descriptor.fd):
                raise OSError("a new file is locked")
            # Every block is written: a sparse file kills its writer when the disk is full.
            view = memoryview(_MAGIC.ljust(_SIZE, b"\0"))
            while view:
                view = view[os.write(self._descriptor.fd, view) :]
            self._map = mmap.mmap(self._descriptor.fd, _SIZE)
            os.rename(born, self.name, src_dir_fd=root.fd, dst_dir_fd=root.fd)
        except BaseException:
            os.unlink(born, dir_fd=root.fd)
            raise
        self._free = list(range(_SLOTS - 1, -1, -1))

    @property
    def is_full(self) -> bool:
        """Whether every slot is taken."""
        return not self._free

    @property
    def is_empty(self) -> bool:
        """Whether no slot is taken."""
        return len(self._free) == _SLOTS

    def take(self, first: float, text: bytes) -> Callable[[int, float], None]:
        """A slot that counts 1; what is answered stores another count and its time."""
        slot = self._free.pop()
        at = _HEADER + slot * _SLOT
        view = self._map
        kept = text if len(text) <= _ROOM else b""
        view[at + _TEXT_AT : at + _TEXT_AT + len(kept)] = kept
        _TEXT.pack_into(view, at + _COUNTS.size, len(kept), crc32(kept))
        _COUNTS.pack_into(view, at, 1, first, first)

        def store(count: int, last: float) -> None:
            if count:
                _COUNTS.pack_into(view, at, count, first, last)
            else:
                _COUNTS.pack_into(view, at, 0, 0.0, 0.0)
                self._free.append(slot)

        return store

    def remove(self) -> None:
        """Delete it. Nothing may be stored in it any more."""
        try:
            os.unlink(self.name, dir_fd=self._root.fd)
        except OSError:
            pass
        self.let_go()

    def let_go(self) -> None:
        """Close it and leave it for who comes after. In a forked child: close what is the parent's.

        The mapping too: it has a descriptor of its own, which would keep the lock.
        """
        self._map.close()
        self._descriptor.close()


def leftover_pages(root: Descriptor, kind: str, own: Iterable[str]) -> Iterator[tuple[str, list[Counted]]]:
    """Pages of this kind without an owner, and what they have counted. Each is locked until the next is asked for.

    Delete one, by ``os.unlink``, when its counts are in safety.
    """
    try:
        names = sorted(os.listdir(root.fd))
    except OSError:
        return
    for name in names:
        match = _NAME.match(name)
        if match is None or match[1] != kind or name in own:
            continue
        try:
            descriptor = Descriptor(os.open(name, os.O_RDWR | SAFE_OPEN, dir_fd=root.fd))
            if not try_lock(descriptor.fd):
                continue
        except OSError:
            continue
        try:
            found = _read(descriptor.fd) if os.fstat(descriptor.fd).st_nlink else None
            if found is not None:
                yield name, found
        except OSError:
            continue
        finally:
            unlock(descriptor.fd)  # a child that was forked meanwhile has it too
            descriptor.close()


def _read(fd: int) -> list[Counted]:
    if os.pread(fd, len(_MAGIC), 0) != _MAGIC:
        return []
    found = []
    for slot in range(_SLOTS):
        data = os.pread(fd, _SLOT, _HEADER + slot * _SLOT)
        if len(data) < _SLOT:
            break
        count, first, last = _COUNTS.unpack_from(data)
        if count:
            size, crc = _TEXT.unpack_from(data, _COUNTS.size)
            text = data[_TEXT_AT : _TEXT_AT + size]
            found.append(Counted(count, first, last, text if crc32(text) == crc else b""))
    return found
