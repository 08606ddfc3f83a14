"""What a destination may be able to do besides its contract. Asked once, when its delivery is made.

By functions, not by ``isinstance``: with a protocol that imports in the call, and a process's first log
call may be the one that makes delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeGuard

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
    "can_preview",
    "can_try_out",
    "counts",
    "do_nothing",
    "has_meanwhile",
    "keeps_position",
    "renders_tables",
    "tells_losses",
]


class WithCounters(Protocol):
    """A destination that counts; ``health()`` shows what."""

    counters: Counters


class WithLostFrom(Protocol):
    """A destination whose target may lose what it acknowledged, and can tell."""

    def lost_from(self, origin: Origin) -> int | None:
        """The LSN from which on the target has nothing, whatever it acknowledged; None: nothing is lost.

        Asked after each ``position``. Where it lies before the spool's cursor, the spool is read again
        from there, as far as its segments still exist.
        """


class WithPosition(Protocol):
    """A destination that says whether its target keeps a position, which must not pass a record that waits.

    Where it does, a refusal becomes a dead letter at once, unless it has ``try_out`` as well.
    """

    keeps_position: bool


class WithTryOut(Protocol):
    """One that can ask its target for a record's verdict without storing the record."""

    def try_out(self, batch: Batch) -> Outcome:
        """The verdict on a batch of one record. Nothing is stored, and no position moves.

        Raises:
            DeliveryError: as ``deliver``.
        """


class WithMeanwhile(Protocol):
    """A destination that says when its target works on a batch and it would only wait.

    It calls ``meanwhile`` then, on the delivery thread, inside ``deliver``: the next records are read.
    """

    meanwhile: Callable[[], None]


class WithPreview(WithMeanwhile, Protocol):
    """One that can use the time while its target works for a part of the next batch's work."""

    def preview(self, origin: Origin, frames: Sequence[Frame]) -> None:
        """What the next batch will probably begin with. Called inside ``meanwhile``. Never raises."""


def counts(destination: object) -> TypeGuard[WithCounters]:
    """Whether it is a ``WithCounters``."""
    return isinstance(getattr(destination, "counters", None), Counters)


def tells_losses(destination: object) -> TypeGuard[WithLostFrom]:
    """Whether it is a ``WithLostFrom``."""
    return hasattr(destination, "lost_from")


def keeps_position(destination: object) -> bool:
    """Whether it is a ``WithPosition`` whose target keeps one."""
    return bool(getattr(destination, "keeps_position", False))


def renders_tables(destination: object) -> bool:
    """Whether its ``deliver`` makes the most of what the compiled walk gives: see ``otel_stdlib._native``.

    Others get a list of frames.
    """
    return bool(getattr(destination, "renders_tables", False))


def can_try_out(destination: object) -> TypeGuard[WithTryOut]:
    """Whether it is a ``WithTryOut``."""
    return hasattr(destination, "try_out")


def has_meanwhile(destination: object) -> TypeGuard[WithMeanwhile]:
    """Whether it is a ``WithMeanwhile``."""
    return hasattr(destination, "meanwhile")


def can_preview(destination: object) -> TypeGuard[WithPreview]:
    """Whether it is a ``WithPreview``."""
    return hasattr(destination, "meanwhile") and hasattr(destination, "preview")


def do_nothing() -> None:
    """What ``meanwhile`` is until a delivery thread sets it."""
