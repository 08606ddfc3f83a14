"""Where a limiting filter sends what it does not let pass: nowhere, or to another handler."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.native import ThreadLocal

__all__ = ["Excess"]


class Excess:
    """The option ``excess``: ``drop``, a handler, or the name of one.

    Raises:
        ConfigError: it is something else.
    """

    def __init__(self, value: Any) -> None:
        #: The handlers' section of a ``dictConfig``, which holds the handlers by and by.
        self._section: Any = None
        self._handler: logging.Handler | None = value if isinstance(value, logging.Handler) else None
        self._name = value if isinstance(value, str) and value != "drop" else ""
        self._here = ThreadLocal()
        if isinstance(value, Mapping):
            self._section, self._name = _referred_to(value)
        if self._handler is None and not self._name and value != "drop":
            raise ConfigError(
                "option 'excess' must be drop, a handler, the name of one, or cfg://handlers.NAME, not "
                f"{value!r}",
                option="excess",
            )

    def __bool__(self) -> bool:
        return bool(self._handler is not None or self._name)

    def take(self, record: logging.LogRecord) -> None:
        """Give a record to the handler. Never raises."""
        handler = self._handler or self.find()
        if handler is None or getattr(self._here, "busy", False):
            return  # busy: that handler has the same filter
        self._here.busy = True
        try:
            if record.levelno >= handler.level:
                handler.handle(record)
        except Exception:
            return
        finally:
            self._here.busy = False

    def find(self) -> logging.Handler | None:
        """The handler, once it is made; None where there is none."""
        found: Any = None
        if self._section is not None:
            found = self._section.get(self._name)
        elif self._name:
            found = logging._handlers.get(self._name)  # type: ignore[attr-defined]
        if isinstance(found, logging.Handler):
            self._handler = found
        elif self:
            say(
                "excess",
                f"there is no handler {self._name!r} for 'excess': what a filter suppresses is counted only",
            )
        return self._handler


def _referred_to(value: Mapping[Any, Any]) -> tuple[Any, str]:
    """What ``cfg://handlers.NAME`` stands for when filters are made: the handlers' section, and the name."""
    config = getattr(getattr(value, "configurator", None), "config", None) or {}
    section = config.get("handlers") or {}
    return section, next((str(name) for name, entry in dict(section).items() if entry is value), "")
