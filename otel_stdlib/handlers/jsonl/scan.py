"""Finding out from the files themselves how far each spool is stored.

Every line carries its record's uid, and the lines of one spool stand in order. So the highest
sequence number of a spool in the files says what the sidecar said before it was damaged.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Iterator

from otel_stdlib.handlers.jsonl.osio import read_at

__all__ = ["crc_of", "find_stored", "merge_stored"]

#: A piece that is searched with the GIL held within about a millisecond.
_PIECE = 256 << 10
#: Longer than anything the pattern can match.
_OVERLAP = 256
# The quotation marks are not escaped, so this is a key of the line and not text of a record.
# Between key and uid, OTLP's JSON has `,"value":{"stringValue":`.
_UID = re.compile(
    rb'(?<!\\)"log\.record\.uid"[:,a-zA-Z{" ]{1,64}?"([0-7][0-9A-HJKMNP-TV-Z]{25})-([0-9a-f]{14})"'
)


def find_stored(paths: Iterable[str], budget: int) -> dict[str, int]:
    """For each spool found: one above its highest sequence number, in the order of ``paths``.

    At most ``budget`` bytes are read, the end of a file first where not all of it fits.

    Raises:
        OSError: a file cannot be read; one that is gone, or may not be read, is skipped.
    """
    found: dict[str, int] = {}
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, PermissionError):
            continue
        try:
            size = os.fstat(fd).st_size
            packed = path.endswith(".gz")
            pieces = _unzipped(fd, size) if packed else _plain(fd, max(0, size - budget), size)
            for piece in pieces:
                merge_stored(found, piece)
                budget -= _PIECE
                if budget <= 0:
                    return found
        finally:
            os.close(fd)
    return found


def merge_stored(found: dict[str, int], data: bytes) -> None:
    """Add what ``data`` shows to ``found``."""
    for match in _UID.finditer(data):
        key = match[1].decode("ascii")
        after = int(match[2], 16) + 1
        if found.get(key, 0) < after:
            found[key] = after


def crc_of(fd: int, offset: int, length: int) -> int:
    """The CRC-32 of a stretch of a file."""
    crc = 0
    end = offset + length
    while offset < end:
        data = read_at(fd, min(_PIECE, end - offset), offset)
        if not data:
            break
        crc = zlib.crc32(data, crc)
        offset += len(data)
    return crc


def _plain(fd: int, offset: int, size: int) -> Iterator[bytes]:
    tail = b""
    while offset < size:
        data = read_at(fd, _PIECE, offset)
        if not data:
            return
        offset += len(data)
        yield tail + data
        tail = data[-_OVERLAP:]


def _unzipped(fd: int, size: int) -> Iterator[bytes]:
    engine = zlib.decompressobj(31)
    tail = b""
    for data in _plain_pieces(fd, size):
        try:
            text = engine.decompress(data)
        except zlib.error:  # not ours, or damaged: what came before it counts
            return
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            yield tail + piece
            tail = piece[-_OVERLAP:]


def _plain_pieces(fd: int, size: int) -> Iterator[bytes]:
    offset = 0
    while offset < size:
        data = read_at(fd, 64 << 10, offset)
        if not data:
            return
        offset += len(data)
        yield data
