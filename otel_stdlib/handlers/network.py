"""What the handlers of servers share: checked options, the policy in them, and a fallback file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from otel_stdlib.delivery.contract import Destination
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.unexpanded import warn_unexpanded
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.fallback import FallbackOptions
from otel_stdlib.spool.options import SpoolOptions

__all__ = ["NetworkHandler"]


class _Options(Protocol):
    @property
    def policy(self) -> DeliveryPolicy: ...


OptionsT = TypeVar("OptionsT", bound=_Options)


class NetworkHandler(DestinationHandler, Generic[OptionsT]):
    """A handler whose destination is a server.

    Args:
        level: as for every handler.
        spool: see ``DestinationHandler``.
        shutdown_timeout: see ``DestinationHandler``.
        service_name: see ``DestinationHandler``.
        service_version: see ``DestinationHandler``.
        resource: see ``DestinationHandler``.
        redaction: see ``DestinationHandler``.
        fallback: ``{filename: …, after: seconds}``: while the server has been down for so long, what
            waits for it is also written to that JSONL file.
        **options: of the back end: see ``read_options``.

    Raises:
        ConfigError: an option is unknown or wrong; the message quotes it.
        MissingExtraError: the driver is not installed.
    """

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        spool: SpoolOptions | Mapping[str, Any] | None = None,
        shutdown_timeout: float = 5.0,
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        redaction: bool | Mapping[str, Any] | None = None,
        fallback: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        named = {"service_name": service_name, "service_version": service_version, "resource": resource}
        warn_unexpanded(type(self).__name__, {**options, **named, "spool": spool, "fallback": fallback})
        self.options = self.read_options(options)
        self._fallback = FallbackOptions.of(fallback)
        super().__init__(
            level,
            spool=spool,
            shutdown_timeout=shutdown_timeout,
            service_name=service_name,
            service_version=service_version,
            resource=resource,
            redaction=redaction,
        )

    def read_options(self, options: Mapping[str, Any]) -> OptionsT:
        """The back end's own options, checked, once its driver is known to be installed.

        Raises:
            ConfigError: one is unknown or wrong.
            MissingExtraError: the driver is not installed.
        """
        raise NotImplementedError

    @property
    def policy(self) -> DeliveryPolicy:
        """Made from the options."""
        return self.options.policy

    def make_fallback(self) -> tuple[Destination, float] | None:
        """Where what waits is written while the destination is down, and after how many seconds."""
        if self._fallback is None:
            return None
        return self._fallback.make_destination(self.outlet_name), self._fallback.after
