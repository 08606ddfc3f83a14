"""From the names and handlers that a configuration gives to the outlets of a pipeline.

``dictConfig`` configures handlers in the order of their names, so those behind a queue
handler may not exist yet when it is made, and a factory that says so cannot be retried (its
``()`` is taken out already). Names are therefore checked at once and resolved with the first
record. The handlers are held strongly: the standard library lets unattached ones go.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import nearest
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.stdlib import StdlibOutlet
from otel_stdlib.pipeline.outlet import Outlet

__all__ = ["HandlerList"]


class HandlerList:
    """The handlers behind a queue handler: given as objects or as names.

    Raises:
        ConfigError: ``handlers`` is no list of names or handlers, or a name is not configured.
    """

    def __init__(self, handlers: object) -> None:
        if isinstance(handlers, (str, bytes, Mapping)) or not isinstance(handlers, Sequence):
            raise ConfigError(
                f"option 'handlers' must be a list of names or handlers, not {handlers!r}", option="handlers"
            )
        # What dictConfig passes to a factory leads to the handlers being configured.
        configurator = getattr(handlers, "configurator", None)
        self._configured: dict[str, Any] | None = None
        if configurator is not None:
            self._configured = configurator.config.get("handlers", {})
        self._given = [
            list.__getitem__(handlers, i) if isinstance(handlers, list) else handlers[i]
            for i in range(len(handlers))
        ]
        for item in self._given:
            self._check(item)

    def _check(self, item: object) -> None:
        if isinstance(item, logging.Handler):
            return
        if not isinstance(item, str):
            raise ConfigError(
                f"option 'handlers' must hold names or handlers, not {item!r}", option="handlers"
            )
        if self._configured is not None and item not in self._configured:
            raise ConfigError(
                f"option 'handlers' names {item!r}, which is not configured{nearest(item, self._configured)}",
                option="handlers",
            )

    def __bool__(self) -> bool:
        return bool(self._given)

    def handlers(self) -> list[logging.Handler]:
        """The handlers themselves.

        Raises:
            ConfigError: a name does not lead to a handler.
        """
        self._given = [self._find(item) for item in self._given]
        self._configured = None
        return list(self._given)

    def _find(self, item: object) -> logging.Handler:
        if isinstance(item, logging.Handler):
            return item
        name = str(item)
        found = None if self._configured is None else dict.get(self._configured, name)
        if not isinstance(found, logging.Handler):
            found = logging._handlers.get(name)  # type: ignore[attr-defined]
        if not isinstance(found, logging.Handler):
            raise ConfigError(
                f"option 'handlers' names {name!r}, but there is no such handler", option="handlers"
            )
        return found

    def outlets(self) -> list[Outlet]:
        """One outlet for each handler."""
        found: list[Outlet] = []
        for index, handler in enumerate(self.handlers()):
            found.append(handler if isinstance(handler, DestinationHandler) else StdlibOutlet(handler, index))
        return found
