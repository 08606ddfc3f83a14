"""Which records a destination wants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from otel_stdlib.spool.envelope import Picked
from otel_stdlib.spool.frame import Frame

__all__ = ["Accept", "AtLeast", "accepted"]

#: Whether a destination wants a frame. None in its place: it wants all.
Accept = Callable[[Frame], bool]


class AtLeast:
    """Whether a frame has a handler's level, as that is now."""

    __slots__ = ("_handler",)

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler

    def __call__(self, frame: Frame) -> bool:
        """Whether this one has it."""
        return frame.level >= self._handler.level

    def takes_all(self, frames: Sequence[Frame]) -> bool:
        """Whether each of them has it, where that is known without a look at each."""
        lowest: int | None = getattr(frames, "min_level", None)  # a table of the compiled walk knows
        return lowest is not None and lowest >= self._handler.level


def accepted(frames: Sequence[Frame], accept: Accept | None) -> Sequence[Frame]:
    """Those that the destination wants. What was meant for it when it was logged is not asked about again."""
    if accept is None or (type(accept) is AtLeast and accept.takes_all(frames)):
        return frames
    return [frame for frame in frames if type(frame) is Picked or accept(frame)]
