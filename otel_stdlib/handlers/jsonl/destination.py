"""The JSONL file as a destination: each record once, in lines that are whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib._native import core
from otel_stdlib.delivery.contract import DUPLICATE, STORED, Batch, Origin, Outcome, Verdict
from otel_stdlib.facts.clock import wall
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.jsonl.block import Block
from otel_stdlib.handlers.jsonl.compress import Compressor
from otel_stdlib.handlers.jsonl.file import BlockFile
from otel_stdlib.handlers.jsonl.options import JSONLOptions
from otel_stdlib.spool.frame import Frame, since

__all__ = ["JSONLDestination", "Render"]

#: ``render(payload, uid, resource)`` gives a record's line without its end.
Render = Callable[[bytes, bytes, bytes], bytes]

#: Lines that are joined with the GIL held: a third of a millisecond.
_PIECE = 512
#: Bytes that no piece has, but where a record is huge.
_LARGE = 2 << 20


class JSONLDestination:
    """Appends records to one file. The file's sidecar is the cursor of every spool.

    A record is refused by ``render`` alone, never by the file: each refusal is the record's own fault.

    Args:
        options: the file and its rotation.
        name: the name of the handler.
        render: how a line is made; None: the canonical line, by concatenation. A record that it
            raises for is rejected, the others are stored.
        counters: where to count: see ``BlockFile``.
        wall: seconds since 1970 UTC, for rotation by time.
    """

    keeps_position = True
    renders_tables = True

    def __init__(
        self,
        options: JSONLOptions,
        *,
        name: str = "jsonl",
        render: Render | None = None,
        counters: Counters | None = None,
        wall: Callable[[], float] = wall,
    ) -> None:
        self.name = name
        self.counters = counters or Counters()
        self._render = render
        self._file = BlockFile(options, counters=self.counters, wall=wall)
        self.identity = Identity("jsonl", self._file.path)
        self._compressor = Compressor(options, self.counters) if options.compress else None
        if self._compressor is not None:
            self._file.on_rotated = self._compressor.wake

    def open(self) -> None:
        """Open the file, settle what a dead process left, and go on with its compression.

        Raises:
            RetryableError: the file cannot be opened or made, or is locked for seconds.
        """
        # glibc learns from a large block that was freed not to unmap blocks of that size each time;
        # until then a fifth of the time goes into page faults. No page of it is touched.
        bytes(_LARGE)
        with self._file.hold():
            self._file.backups.tidy()
        if self._compressor is not None:
            self._compressor.wake()

    def position(self, origin: Origin) -> int | None:
        """Where reading this spool goes on; None when the file knows nothing of it.

        Raises:
            RetryableError: as ``open``.
        """
        with self._file.hold():
            entry = self._file.stored(origin.key)
        return entry.cursor if entry is not None and entry.cursor else None

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Append a batch. What the file has already is skipped, whoever brought it.

        Raises:
            RetryableError: the file cannot be written now; whole blocks before that are kept.
        """
        key = batch.origin.key
        frames = batch.frames
        rejected: dict[int, str] = {}
        block = self._block(batch, frames, rejected)  # outside the lock: most of the work
        with self._file.hold():
            entry = self._file.stored(key)
            stored = entry.stored if entry is not None else 0
            if frames and frames[0].lsn < stored:
                block = self._block(batch, since(frames, stored), {})
            # A rejected record is not in any file yet: a restart must come back to it.
            block.cursor = min(rejected, default=block.cursor)
            if block.chunks:
                self._file.append(block)
            else:
                self._file.advance(key, block.cursor, block.stored)
        if not rejected and not (frames and frames[0].lsn < stored):
            return None
        return [
            Outcome(Verdict.REJECTED, rejected[frame.lsn])
            if frame.lsn in rejected
            else (DUPLICATE if frame.lsn < stored else STORED)
            for frame in frames
        ]

    def probe(self) -> None:
        """Open the file.

        Raises:
            RetryableError: it cannot be opened.
        """
        with self._file.hold():
            pass

    def forget(self, origin: Origin) -> None:
        """Drop the position of a spool that is gone; when that fails the entry stays, which does no harm."""
        try:
            with self._file.hold():
                self._file.forget(origin.key)
        except RetryableError:
            self.counters.add("forget_failed")

    def close(self) -> None:
        """Close the file; a compression under way is left for the next process."""
        if self._compressor is not None:
            self._compressor.close(0.9)
        self._file.close()

    def _block(self, batch: Batch, frames: Sequence[Frame], rejected: dict[int, str]) -> Block:
        origin = batch.origin
        if self._render is not None:
            return self._rendered(self._render, batch, frames, rejected)
        prefix = b'"log.record.uid":"' + origin.spool_id.encode("ascii") + b"-"
        suffix = b'"},"resource":' + origin.resource + b"}\n"
        if core is not None and type(frames) is core.Frames:
            lines, crc = frames.lines(b"", prefix, suffix)  # type: ignore[attr-defined]
            return Block(origin.key, [lines], frames.lsns(), batch.end, batch.end, crc)  # type: ignore[attr-defined]
        chunks = []
        for start in range(0, len(frames), _PIECE):
            lines = [
                b"%b%b%014x" % (payload, prefix, lsn)
                for lsn, _, _, _, payload in frames[start : start + _PIECE]
            ]
            lines.append(b"")
            chunks.append(suffix.join(lines))
        return Block(origin.key, chunks, [frame.lsn for frame in frames], batch.end, batch.end)

    def _rendered(
        self, render: Render, batch: Batch, frames: Sequence[Frame], rejected: dict[int, str]
    ) -> Block:
        origin = batch.origin
        prefix = origin.spool_id.encode("ascii") + b"-"
        lines: list[bytes] = []
        marks: list[int] = []
        for frame in frames:
            try:
                line = render(frame.payload, prefix + b"%014x" % frame.lsn, origin.resource)
                line = line.removesuffix(b"\n")
                if b"\n" in line:
                    raise ValueError("the rendered line holds a line end")
            except Exception as error:
                rejected[frame.lsn] = f"{type(error).__name__}: {error}"[:500]
                continue
            lines.append(line + b"\n")
            marks.append(frame.lsn)
        chunks = [b"".join(lines[start : start + _PIECE]) for start in range(0, len(lines), _PIECE)]
        return Block(origin.key, chunks, marks, batch.end, batch.end)
