"""A spool whose frames are written in C. ``Spool`` is the specification, and does what is not ordinary."""

from __future__ import annotations

import weakref
from typing import Any

from otel_stdlib._native import core
from otel_stdlib.facts.counters import Counters
from otel_stdlib.spool.answers import DROPPED, FULL, SEALED
from otel_stdlib.spool.directory import SpoolDirectory
from otel_stdlib.spool.frame import HEADER_SIZE, seed_of
from otel_stdlib.spool.options import SpoolOptions
from otel_stdlib.spool.segment import Segment
from otel_stdlib.spool.writer import Spool

__all__ = ["CompiledSpool", "spool_kind"]

_NO_ROOM = -1
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


class CompiledSpool(Spool):
    """As ``Spool``.

    A frame is reserved, written and published in one C call, which nothing interrupts: no call is ever inside
    ``append`` with a reservation, there is nothing to defer, and a sealed spool is quiet at once.
    """

    def __init__(
        self,
        spool_id: str,
        manifest: bytes,
        options: SpoolOptions,
        directory: SpoolDirectory | None,
        counters: Counters,
    ) -> None:
        me = weakref.ref(self)  # a ring would keep mappings, and descriptors, until the next collection

        def slow(payload: bytes, level: int, severity: int, time_ns: int) -> int:
            spool = me()
            return SEALED if spool is None else spool.append_slowly(payload, level, severity, time_ns)

        self._tip: Any = core.Tip(seed_of(spool_id), slow)
        super().__init__(spool_id, manifest, options, directory, counters)
        self.append = self._tip.append  # type: ignore[method-assign]

    # -- the log call, where it is not ordinary ---------------------------------------------

    def append_slowly(
        self, payload: bytes, level: int, severity: int, time_ns: int, waiting: bool = False
    ) -> int:
        """As ``append``: for what a floor, a full segment or an odd number kept from being written at once."""
        if level < self.floor and not waiting and not self._admit(severity):
            return DROPPED
        if not (-0x8000 <= level <= 0x7FFF and 0 <= severity <= 0xFF and _LOWEST <= time_ns <= _HIGHEST):
            level, severity = max(-0x8000, min(level, 0x7FFF)), severity & 0xFF
            time_ns = max(0, min(time_ns, _HIGHEST))
        size = len(payload) + HEADER_SIZE
        lsn = self._write(payload, level, severity, time_ns, size)
        if lsn >= 0:
            return lsn
        if self.sealed:
            return SEALED
        if waiting:
            return FULL
        reason = self._why_full(size)
        if reason == "too_large" or self.options.overflow != "block":
            return self._refuse(severity, reason)
        return self._wait(lambda: self.append_slowly(payload, level, severity, time_ns, True), severity)

    def _write(self, payload: bytes, level: int, severity: int, time_ns: int, size: int) -> int:
        """The LSN; ``_NO_ROOM`` also where it is sealed."""
        while True:
            lsn: int = self._tip.try_append(payload, level, severity, time_ns)
            if lsn >= 0:
                return lsn
            segment = self._current
            if self.sealed or self._too_large(size):
                return _NO_ROOM
            following = self.chain.get(segment.number)
            if following is None:
                following = self.extend(segment, prepare=False, record=size)
            if following is None:
                return _NO_ROOM
            self._use(following, after=segment)

    # -- what C keeps -----------------------------------------------------------------------

    def _use(self, segment: Segment, after: Segment | None = None) -> bool:
        """Write into ``segment``; with ``after`` only behind that one: a sealed spool, or a faster call, goes first."""
        done: bool = self._tip.use(
            segment, segment.counter, segment.view, segment.base, segment.capacity, after
        )
        return done

    @property
    def _current(self) -> Segment:
        segment: Segment = self._tip.segment
        return segment

    @_current.setter
    def _current(self, segment: Segment) -> None:
        self._use(segment)

    @property
    def published(self) -> int:
        """The LSN below which every frame is committed. It never goes back."""
        lsn: int = self._tip.published
        return lsn

    @published.setter
    def published(self, lsn: int) -> None:
        self._tip.publish(lsn)

    @property
    def floor(self) -> int:
        """As in ``Spool``."""
        return self._floor

    @floor.setter
    def floor(self, level: int) -> None:
        self._floor = level
        self._tip.floor = max(_LOWEST, min(level, _HIGHEST))

    def move_to(self, segment: Segment) -> bool:
        """As in ``Spool``."""
        passed = self._current
        if self.sealed or passed.number > segment.number or not self._use(segment, after=passed):
            return False
        while passed is not segment:  # full, for whoever comes along the chain
            passed.reserve(passed.capacity, 1)
            passed = self.chain[passed.number]
        self.published = segment.reserved
        return True


def spool_kind(options: SpoolOptions) -> type[Spool]:
    """The flavour that there is. One that syncs in each log call is Python's: the disk takes far longer."""
    return Spool if core is None or options.durability == "record" else CompiledSpool
