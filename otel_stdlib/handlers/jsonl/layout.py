"""The bytes of a sidecar. ``docs/jsonl-file.md`` is the specification.

    0     header, copies 0 and 1, 64 bytes each
    128   intent slot, copies 0 and 1, 128 bytes each
    384   entries, 128 bytes each: copies 0 and 1, 64 bytes each

Every copy is ``magic, crc, sequence, …``. The crc covers what follows it and starts from the
copy's place in the file, so bytes of another place never fit. A new value goes to the copy that
its sequence number's lowest bit names: the older one stays valid until the newer one is whole.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple, TypeVar

__all__ = [
    "ENTRIES",
    "ENTRY_PAIR",
    "HEADER_COPY",
    "HEADER_PLACE",
    "NO_SLOT",
    "PAGE",
    "RECOVERED",
    "SLOT_COPY",
    "SLOT_PLACE",
    "Entry",
    "Header",
    "Slot",
    "copy_place",
    "entry_place",
    "pack",
    "read_entry",
    "read_header",
    "read_slot",
]

#: One read of this size shows the header, the slot and the first 29 entries.
PAGE = 4096
HEADER_PLACE, HEADER_COPY = 0, 64
SLOT_PLACE, SLOT_COPY = 128, 128
ENTRIES, ENTRY_COPY, ENTRY_PAIR = 384, 64, 128
#: Flag of an entry that a search of the files brought back: see ``Entry.stored``.
RECOVERED = 1

_PREFIX = struct.Struct("<4sI")
_HEADER = struct.Struct("<QIIqII")
_SLOT = struct.Struct("<Q26sxxQQQQQQI")
_ENTRY = struct.Struct("<Q26sHQQI")


class Header(NamedTuple):
    """What holds for the whole file."""

    sequence: int = 0
    #: How many entries the file has room for; a shorter file was cut.
    room: int = 0
    #: Which rule ``rollover`` was reckoned by.
    schedule: int = 0
    #: The next rotation by time, seconds since 1970 UTC; 0: none is known.
    rollover: int = 0
    #: How many damaged copies were ever found.
    damaged: int = 0
    #: 1 while a repair is under way: entries may be missing that the files can bring back.
    unsure: int = 0


class Slot(NamedTuple):
    """A block of lines that is about to be written, is being written or was written."""

    sequence: int = 0
    #: The spool that the lines come from; "" for lines that no position is kept for.
    key: str = ""
    #: The spool's ``stored`` before the block.
    start: int = 0
    #: The spool's entry after the block.
    cursor: int = 0
    stored: int = 0
    #: The file, and where in it the block begins.
    inode: int = 0
    offset: int = 0
    #: Bytes of the block; 0: there is none, the slot is free.
    length: int = 0
    crc: int = 0


NO_SLOT = Slot()


class Entry(NamedTuple):
    """How far one spool is stored."""

    sequence: int = 0
    key: str = ""
    flags: int = 0
    #: Where reading the spool goes on: the beginning of a record. 0: not known.
    cursor: int = 0
    #: Every record with a lower sequence number is stored, or was refused for good.
    stored: int = 0
    #: When it last changed, seconds since 1970 UTC.
    touched: int = 0


_Record = TypeVar("_Record", Header, Slot, Entry)


def pack(record: Header | Slot | Entry, place: int) -> bytes:
    """One copy, to be written at ``place``."""
    if isinstance(record, Header):
        magic, size, body = b"OSH1", HEADER_COPY, _HEADER.pack(*record)
    elif isinstance(record, Slot):
        magic, size = b"OSS1", SLOT_COPY
        body = _SLOT.pack(record.sequence, record.key.encode("ascii"), *record[2:])
    else:
        magic, size = b"OSE1", ENTRY_COPY
        body = _ENTRY.pack(record.sequence, record.key.encode("ascii"), *record[2:])
    body = body.ljust(size - _PREFIX.size, b"\0")
    return _PREFIX.pack(magic, zlib.crc32(body, place)) + body


def copy_place(place: int, size: int, sequence: int) -> int:
    """Where the copy with this sequence number is written, of the pair that begins at ``place``."""
    return place + size * (sequence & 1)


def entry_place(index: int) -> int:
    """Where the pair of an entry begins."""
    return ENTRIES + ENTRY_PAIR * index


def read_header(pair: bytes) -> tuple[Header | None, int]:
    """The newest whole copy, and how many copies are damaged."""
    bodies, damaged = _whole(pair, HEADER_PLACE, b"OSH1")
    return _newest([Header(*_HEADER.unpack_from(body)) for body in bodies]), damaged


def read_slot(pair: bytes) -> tuple[Slot | None, int]:
    """The newest whole copy, and how many copies are damaged."""
    bodies, damaged = _whole(pair, SLOT_PLACE, b"OSS1")
    slots = []
    for body in bodies:
        sequence, key, *rest = _SLOT.unpack_from(body)
        slots.append(Slot(sequence, key.rstrip(b"\0").decode("ascii"), *rest))
    return _newest(slots), damaged


def read_entry(pair: bytes, place: int) -> tuple[Entry | None, int]:
    """The newest whole copy of the pair that stood at ``place``, and how many copies are damaged."""
    bodies, damaged = _whole(pair, place, b"OSE1")
    entries = []
    for body in bodies:
        sequence, key, *rest = _ENTRY.unpack_from(body)
        entries.append(Entry(sequence, key.rstrip(b"\0").decode("ascii"), *rest))
    return _newest(entries), damaged


def _newest(records: list[_Record]) -> _Record | None:
    return max(records, default=None)


def _whole(pair: bytes, place: int, magic: bytes) -> tuple[list[bytes], int]:
    """The bodies of a pair's whole copies, and how many are damaged; zeros are neither."""
    size = len(pair) // 2
    found = []
    damaged = 0
    for start in (0, size):
        copy = pair[start : start + size]
        if not copy.strip(b"\0"):
            continue
        name, crc = _PREFIX.unpack_from(copy)
        body = copy[_PREFIX.size :]
        if name == magic and zlib.crc32(body, place + start) == crc:
            found.append(body)
        else:
            damaged += 1
    return found, damaged
