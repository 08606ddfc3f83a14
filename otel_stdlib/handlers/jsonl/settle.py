"""What became of a block whose writer was killed before it could say so."""

from __future__ import annotations

import os

from otel_stdlib.handlers.jsonl.layout import Slot
from otel_stdlib.handlers.jsonl.osio import read_at
from otel_stdlib.handlers.jsonl.scan import crc_of, merge_stored
from otel_stdlib.handlers.jsonl.sidecar import Sidecar

__all__ = ["is_settled", "settle"]

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_PIECE = 256 << 10


def is_settled(sidecar: Sidecar) -> bool:
    """Whether the slot is free, or its block is counted in the map already."""
    slot = sidecar.slot
    if not slot.length:
        return True
    if not slot.key:
        return False
    entry = sidecar.entry(slot.key)
    return entry is not None and entry.stored >= slot.stored


def settle(sidecar: Sidecar, target: str) -> str:
    """Finish the open block when the file has all of it, else take what there is of it out again.

    Only bytes that the slot describes are ever taken out. The answer names what was done, for a
    counter: ``blocks_settled``, ``blocks_undone``, or ``blocks_missing`` when the file is gone.

    Raises:
        OSError: the file cannot be read or cut; nothing is changed then.
    """
    slot = sidecar.slot
    path = _find(target, slot.inode)
    if path is None:
        sidecar.clear_slot()
        return "blocks_missing"
    fd = os.open(path, _FLAGS)
    try:
        size = os.fstat(fd).st_size
        end = slot.offset + slot.length
        if size >= end and crc_of(fd, slot.offset, slot.length) == slot.crc:
            if slot.key:
                sidecar.put(slot.key, slot.cursor, slot.stored)
            sidecar.clear_slot()
            return "blocks_settled"
        if size > end:
            # Somebody who takes no lock wrote behind it: their bytes stay, and so do our whole lines.
            _keep_whole_lines(sidecar, slot, fd, size)
        elif size > slot.offset:
            os.ftruncate(fd, slot.offset)
    finally:
        os.close(fd)
    sidecar.clear_slot()
    return "blocks_undone"


def _keep_whole_lines(sidecar: Sidecar, slot: Slot, fd: int, size: int) -> None:
    found: dict[str, int] = {}
    offset = slot.offset
    tail = b""
    while offset < size:
        data = read_at(fd, _PIECE, offset)
        if not data:
            break
        offset += len(data)
        lines, newline, tail = (tail + data).rpartition(b"\n")
        merge_stored(found, lines + newline)
    if slot.key in found:
        sidecar.put(slot.key, 0, found[slot.key])


def _find(target: str, inode: int) -> str | None:
    """The path of a file of the target's folder, whatever it is called by now."""
    try:
        if os.stat(target, follow_symlinks=False).st_ino == inode:
            return target
    except FileNotFoundError:
        pass
    try:
        with os.scandir(os.path.dirname(target)) as entries:
            for entry in entries:
                if entry.inode() == inode and entry.is_file(follow_symlinks=False):
                    return entry.path
    except FileNotFoundError:
        pass
    return None
