"""What a destination may be able to do besides its contract. Asked once, when its delivery is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from otel_stdlib.delivery.contract import Batch, Origin, Outcome
from otel_stdlib.facts.counters import Counters
from otel_stdlib.spool.frame import Frame

__all__ = [
    "WithCounters",
    "WithLostFrom",
    "WithMeanwhile",
    "WithPosition",
    "WithPreview",
    "WithTryOut",
    "do_nothing",
]


@runtime_checkable
class WithCounters(Protocol):
    """A destination that counts; ``health()`` shows what."""

    counters: Counters


@runtime_checkable
class WithLostFrom(Protocol):
    """A destination whose target may lose what it acknowledged, and can tell."""

    def lost_from(self, origin: Origin) -> int | None:
        """The LSN from which on the target has nothing, whatever it acknowledged; None: nothing is lost.

        Asked after each ``position``. Where it lies before the spool's cursor, the spool is read again
        from there, as far as its segments still exist.
        """


@runtime_checkable
class WithPosition(Protocol):
    """A destination that says whether its target keeps a position, which must not pass a record that waits.

    Where it does, a refusal becomes a dead letter at once, unless it has ``try_out`` as well.
    """

    keeps_position: bool


@runtime_checkable
class WithTryOut(Protocol):
    """One that can ask its target for a record's verdict without storing the record."""

    def try_out(self, batch: Batch) -> Outcome:
        """The verdict on a batch of one record. Nothing is stored, and no position moves.

        Raises:
            DeliveryError: as ``deliver``.
        """


@runtime_checkable
class WithMeanwhile(Protocol):
    """A destination that says when its target works on a batch and it would only wait.

    It calls ``meanwhile`` then, on the delivery thread, inside ``deliver``: the next records are read.
    """

    meanwhile: Callable[[], None]


@runtime_checkable
class WithPreview(WithMeanwhile, Protocol):
    """One that can use the time while its target works for a part of the next batch's work."""

    def preview(self, origin: Origin, frames: Sequence[Frame]) -> None:
        """What the next batch will probably begin with. Called inside ``meanwhile``. Never raises."""


def do_nothing() -> None:
    """What ``meanwhile`` is until a delivery thread sets it."""
