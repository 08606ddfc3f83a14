"""The handlers that a configuration file makes, by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from otel_stdlib.config.dictconfig import load_dict_config
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.kafka.handler import KafkaHandler

__all__ = ["find_handler", "find_handlers", "refuse_transactions"]


def find_handlers(config: str) -> Mapping[str, DestinationHandler]:
    """The handlers of this package that a configuration file makes, by name.

    Raises:
        ConfigError: the configuration is wrong.
    """
    load_dict_config(config)
    found = [ref() for ref in logging._handlerList]  # type: ignore[attr-defined]
    return {h.outlet_name: h for h in found if isinstance(h, DestinationHandler)}


def find_handler(config: str, to: str | None) -> DestinationHandler:
    """The handler ``to``, or the only one.

    Raises:
        ConfigError: the configuration is wrong, or has no such handler, or several.
    """
    handlers = find_handlers(config)
    names = ", ".join(handlers) or "none"
    if to is None and len(handlers) == 1:
        return next(iter(handlers.values()))
    if to is None:
        raise ConfigError(f"name one handler of {config} with --to: it has {names}")
    if to not in handlers:
        raise ConfigError(f"{config} has no handler {to!r} of this package; it has {names}")
    return handlers[to]


def refuse_transactions(handler: DestinationHandler, command: str) -> None:
    """A transactional ``KafkaHandler`` takes a spool's records in its order and nothing else.

    Raises:
        ConfigError: it is one.
    """
    if isinstance(handler, KafkaHandler) and handler.options.transactional:
        raise ConfigError(
            f"{command!r} cannot deliver to a transactional KafkaHandler: its cursor is a spool's"
        )
