"""The rows of a batch as the file that the driver's COPY reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from otel_stdlib._native import core
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.handlers.postgres.compiled import CompiledRows
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.spool.frame import Frame, lsns_of

__all__ = ["FirstPiece", "RowStream"]

#: One piece of a COPY is encoded in about this many seconds: nobody waits longer for the GIL. Less
#: costs speed: beside a busy thread each piece waits a whole switch interval (5 ms), and with 0.8 ms
#: of work in between the server starves.
_PIECE_SECONDS = 0.002
_PIECE_BYTES = 512 << 10
#: A piece of what C makes is not filled up beyond this.
_PIECE_ENOUGH = 256 << 10
#: Rows between two looks at the clock.
_STEP = 50


class FirstPiece:
    """The first piece of a stream to come, for a server that should not wait for it.

    Args:
        encoder: of the frames' origin.
        frames: what the stream will probably begin with.

    Raises:
        ValueError: a frame holds no record, or what else a line that somebody else wrote brings about.
    """

    def __init__(self, encoder: RowEncoder, frames: Sequence[Frame]) -> None:
        self._encoder = encoder
        self.rows = next(_pieces(encoder, frames), b"")
        # A line end inside a row is escaped.
        self.lsns = lsns_of(frames[: self.rows.count(b"\n")])

    def fits(self, encoder: RowEncoder, frames: Sequence[Frame]) -> bool:
        """Whether a stream of these frames begins with it."""
        return encoder is self._encoder and lsns_of(frames[: len(self.lsns)]) == self.lsns


class RowStream:
    """The rows of some frames as the file that ``copy_expert`` reads, encoded while it is read.

    The server works on one piece while the next one is encoded. ``error`` keeps what a read
    raised, as the driver reports it in its own words; ``begun`` says whether there was a read,
    which there is as soon as the server has the table's lock.

    Args:
        encoder: of the frames' origin.
        frames: in order.
        careful: trust no line.
        at_end: called once, when the server has the last row and works on it. Does not raise.
        first: a first piece that was encoded before; used where it fits.
    """

    def __init__(
        self,
        encoder: RowEncoder,
        frames: Sequence[Frame],
        *,
        careful: bool = False,
        at_end: Callable[[], None] | None = None,
        first: FirstPiece | None = None,
    ) -> None:
        if first is not None and not careful and first.fits(encoder, frames):
            self._pieces = chain([first.rows], _pieces(encoder, frames[len(first.lsns) :]))
        else:
            self._pieces = chain(
                _encode(encoder.careful_row, frames) if careful else _pieces(encoder, frames)
            )
        self.error: Exception | None = None
        self.begun = False
        self._at_end = at_end

    def read(self, size: int = -1) -> bytes:
        """The next piece, of at most about half a MiB whatever ``size`` says; ``b""`` at the end."""
        del size
        self.begun = True
        try:
            piece = next(self._pieces, b"")
        except MemoryError:
            raise  # that is not the record's fault
        except Exception as error:  # a line that somebody else wrote can hold anything, ever so deep
            self.error = error
            raise
        if not piece and self._at_end is not None:
            self._at_end()
            self._at_end = None
        return piece


def _pieces(encoder: RowEncoder, frames: Sequence[Frame]) -> Iterator[bytes]:
    if encoder.compiled is not None and core is not None and type(frames) is core.Frames:
        return _gather(encoder.compiled, frames)
    return _encode(encoder.row, frames)


def _gather(compiled: CompiledRows, frames: Sequence[Frame]) -> Iterator[bytes]:
    rows: list[bytes] = []
    size = 0
    end = monotonic() + _PIECE_SECONDS
    for part in compiled.parts(frames, _PIECE_BYTES):
        rows.append(part)
        size += len(part)
        if size >= _PIECE_ENOUGH or monotonic() >= end:
            yield b"".join(rows)
            rows, size = [], 0
            end = monotonic() + _PIECE_SECONDS
    if rows:
        yield b"".join(rows)


def _encode(encode: Callable[[Frame], bytes], frames: Sequence[Frame]) -> Iterator[bytes]:
    rows: list[bytes] = []
    size = 0
    end = monotonic() + _PIECE_SECONDS
    for first in range(0, len(frames), _STEP):
        for frame in frames[first : first + _STEP]:
            row = encode(frame)
            rows.append(row)
            size += len(row)
            if size >= _PIECE_BYTES:
                yield b"".join(rows)
                rows, size = [], 0
                end = monotonic() + _PIECE_SECONDS
        if rows and monotonic() >= end:
            yield b"".join(rows)
            rows, size = [], 0
            end = monotonic() + _PIECE_SECONDS
    if rows:
        yield b"".join(rows)
