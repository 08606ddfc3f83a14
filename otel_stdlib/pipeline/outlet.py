"""What a pipeline asks of a handler that it feeds."""

from __future__ import annotations

import logging
from typing import Protocol

from otel_stdlib.delivery.accept import Accept
from otel_stdlib.delivery.contract import Destination
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.identity import Identity

__all__ = ["Outlet"]


class Outlet(Protocol):
    """One destination of a pipeline, as long as nothing is connected yet.

    A pipeline makes the destination itself in every process that logs, so that no connection,
    thread or descriptor is shared with a forked child.
    """

    @property
    def outlet_name(self) -> str:
        """The name in reports and thread names."""

    @property
    def identity(self) -> Identity:
        """What it is across processes."""

    @property
    def policy(self) -> DeliveryPolicy:
        """How it is delivered to."""

    @property
    def filterer(self) -> logging.Filterer:
        """The handler whose filters decide what is delivered here."""

    @property
    def reads_template(self) -> bool:
        """Whether what it writes may depend on the message's template and its arguments."""

    def make_destination(self) -> Destination:
        """A new destination. Cheap: connecting is ``open``'s work."""

    def make_accept(self, respect_level: bool) -> Accept | None:
        """The test that a frame must pass to be delivered here."""

    def make_fallback(self) -> tuple[Destination, float] | None:
        """A new destination to read along, and after how many seconds of an outage; None: none."""
