"""What is kept for each spool that is being delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.handlers.postgres.shape import TableShape
from otel_stdlib.handlers.postgres.stream import FirstPiece, RowStream
from otel_stdlib.spool.frame import Frame

__all__ = ["Origins"]

#: Spools that are kept.
_MOST = 64


class Origins:
    """Encoders by origin, and the beginning of the next batch. Used by one thread."""

    def __init__(self) -> None:
        self._encoders: dict[Origin, RowEncoder] = {}
        #: Those whose offset row was there when their last batch was stored.
        self.placed: set[Origin] = set()
        self._first: FirstPiece | None = None

    def add(self, origin: Origin, shape: TableShape) -> None:
        """Keep an encoder for it, where there is none."""
        if origin not in self._encoders:
            if len(self._encoders) >= _MOST:
                self.clear()
            self._encoders[origin] = RowEncoder(shape, origin)

    def stream(
        self, origin: Origin, frames: Sequence[Frame], *, careful: bool, at_end: Callable[[], None]
    ) -> RowStream:
        """The rows of frames of an origin that was added."""
        first, self._first = self._first, None
        return RowStream(self._encoders[origin], frames, careful=careful, at_end=at_end, first=first)

    def preview(self, origin: Origin, frames: Sequence[Frame]) -> None:
        """Make the first rows of what is probably the next stream. Never raises."""
        self._first = None
        encoder = self._encoders.get(origin)
        if encoder is None or not frames:
            return
        try:
            self._first = FirstPiece(encoder, frames)
        except Exception:
            pass  # it will be met again in its batch, whose error it is

    def forget(self, origin: Origin) -> None:
        """Keep nothing for it."""
        self._encoders.pop(origin, None)
        self.placed.discard(origin)

    def clear(self) -> None:
        """Keep nothing."""
        self._encoders.clear()
        self.placed.clear()
        self._first = None
