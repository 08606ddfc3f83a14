"""Topic names. Pure: the topic of a record depends on its attributes and its resource alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.memo import keep
from otel_stdlib.handlers.placeholders import find_value, legal_part, shorten
from otel_stdlib.spool.frame import Frame

__all__ = ["TopicPattern", "safe_part"]

_TOKEN = re.compile(r"\{([^{}]+)\}")
# Kafka, org.apache.kafka.common.internals.Topic: letters, digits, ". _ -", at most 249 of them.
_LEGAL = re.compile(r"[a-zA-Z0-9._-]*")
_UNSAFE = re.compile(r"[^a-zA-Z0-9._-]")
_MAX_NAME = 249


def safe_part(value: object) -> str:
    """A value as a legal part of a topic's name; two values never give the same part."""
    return legal_part(str(value), _UNSAFE)


class TopicPattern:
    """The option ``topic``. Used by one thread.

    Args:
        pattern: a topic's name, in which ``{attribute}`` stands for a record's value.

    Raises:
        ConfigError: it cannot give legal names.
    """

    def __init__(self, pattern: object) -> None:
        if not isinstance(pattern, str) or not pattern:
            raise ConfigError(f"option 'topic' must be text, not {pattern!r}", option="topic")
        rest = _TOKEN.sub("", pattern)
        if not _LEGAL.fullmatch(rest) or pattern in (".", "..") or len(rest) > _MAX_NAME:
            raise ConfigError(
                f"option 'topic' ({pattern!r}) may have letters, digits, '.', '_', '-' and {{attribute}}, "
                f"at most {_MAX_NAME} characters, and must not be '.' or '..'",
                option="topic",
            )
        self.pattern = pattern
        self._attributes = _TOKEN.findall(pattern)
        #: The only topic; None when records have topics of their own.
        self.fixed = None if self._attributes else pattern
        self._names: dict[tuple[str, ...], str] = {}

    def name(self, frame: Frame, resource: Mapping[str, Any]) -> str:
        """The topic of one record.

        Raises:
            ValueError: the frame holds no record, and the topic depends on one.
        """
        if self.fixed is not None:
            return self.fixed
        record = orjson.loads(frame.payload.rstrip(b",") + b"}}")
        where = (record["attributes"], resource, record)
        values = tuple(str(find_value(name, where)) for name in self._attributes)
        return self._names.get(values) or self._make(values)

    def _make(self, values: tuple[str, ...]) -> str:
        parts = iter(values)
        name = _TOKEN.sub(lambda _: safe_part(next(parts)), self.pattern)
        if len(name) > _MAX_NAME or name in (".", ".."):
            name = shorten(name, _MAX_NAME)
        return keep(self._names, values, name)
