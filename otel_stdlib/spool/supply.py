"""Making a spool's segments: how large, on the disk, or in memory while the disk takes none."""

from __future__ import annotations

import errno
import os
from functools import partial

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.segment import (
    Descriptor,
    Segment,
    create_file,
    create_memory,
    delete_file,
    header_size,
    segment_name,
    write_file,
)

__all__ = ["FIRST_BYTES", "Supply"]

#: The first segment of a process: what one that ends by ``os._exit`` leaves for the next one to delete.
FIRST_BYTES = 64 << 10
#: A segment of at most this size has its pages written in some tenths of a millisecond, in a log call too.
_QUICK = 1 << 20
#: While the disk fails, memory is taken in pieces of this size: the disk may have room for some of them.
_PIECE = 256 << 10
#: No room, a quota, a limit on the size of files: a smaller file may fit.
_TOO_LARGE = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
#: Seconds after which a size that did not fit is tried again.
_AGAIN = 1.0


class Supply:
    """Makes the segments of one spool. Any thread.

    Args:
        directory: None keeps everything in memory.
    """

    def __init__(self, options: SpoolOptions, directory: SpoolDirectory | None, manifest: bytes) -> None:
        self.directory = directory
        #: Why the disk took no segment when one was last made; None: it did.
        self.error: OSError | None = None
        self._options = options
        self._manifest = manifest
        self._numbers = iter(range(1, 1 << 31)).__next__
        #: The largest size that fitted when a larger one did not, and until when no larger one is tried.
        self._fitting = options.segment_bytes
        self._until = 0.0

    def first(self) -> Segment:
        """The first segment: small, as many processes log a few records only, and the first one waits for it."""
        room = FIRST_BYTES + len(self._manifest) // FIRST_BYTES * FIRST_BYTES
        size = min(room, self._options.segment_bytes)
        return self.on_disk(size, prepare=True) or self.in_memory(size)

    def size_after(self, segment: Segment, record: int) -> int:
        """The size of the segment after ``segment``: a record that long must have room in it."""
        step = max(FIRST_BYTES, self._options.segment_bytes >> 3)
        # Behind the first one an eighth, which a log call can make when a burst is faster than the background.
        if segment.capacity < step and self._needs(record) <= step:
            return step
        return self._options.segment_bytes

    def _needs(self, record: int) -> int:
        return header_size(self._manifest) + record

    def on_disk(self, size: int, *, prepare: bool, record: int = 0) -> Segment | None:
        """A segment file of ``size``, or a smaller one where the disk has no room for that; None: ``error``."""
        if self.directory is None:
            return None
        if size > self._fitting and monotonic() < self._until:
            size = self._fitting
        number = self._numbers()
        failed = False
        while True:
            try:
                segment = create_file(
                    self.directory.fd, number, size, self._manifest, prepare=prepare or size <= _QUICK
                )
            except OSError as error:
                smaller = max(size >> 3, FIRST_BYTES)
                if error.errno not in _TOO_LARGE or smaller >= size or self._needs(record) > smaller:
                    self.error = error
                    return None
                size, failed = smaller, True
                continue
            self._let_reopen(segment)
            if failed:
                self._fitting, self._until = size, monotonic() + _AGAIN
            self.error = None
            return segment

    def in_memory(self, size: int, record: int = 0) -> Segment:
        """A segment in memory; small where it stands in for a disk that fails, and as it will be on the disk."""
        if self.directory is None:
            return create_memory(self._numbers(), size)
        size = min(size, max(_PIECE, self._needs(record)))
        return create_memory(self._numbers(), size, self._manifest)

    def save(self, segment: Segment, start: int, sync: bool) -> bool:
        """Bring a full segment from memory to the disk, from LSN ``start`` on; whether that went well."""
        assert self.directory is not None
        try:
            descriptor: Descriptor = write_file(self.directory.fd, segment, start)
            if sync:
                os.fdatasync(descriptor.fd)
        except OSError as error:
            self.error = error
            return False
        self.error = None
        segment.move_to(descriptor)
        self._let_reopen(segment)
        return True

    def _let_reopen(self, segment: Segment) -> None:
        if self.directory is not None and segment.descriptor is not None:
            name = segment_name(segment.number)
            segment.descriptor.reopen = partial(self.directory.open_file, name, os.O_RDWR)

    def delete(self, segment: Segment) -> None:
        """Delete a segment's file."""
        if segment.on_disk and self.directory is not None:
            self.error = delete_file(self.directory.fd, segment.number) or self.error
