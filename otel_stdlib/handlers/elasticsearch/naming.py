"""Index names. Pure: the name of a record depends on its event time and attributes alone.

So a record that is sent again, by this process or the next one, goes to the index it went to
first, where ``create`` with its ``_id`` is refused if it is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timezone

import orjson

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.memo import keep
from otel_stdlib.facts.options import nearest
from otel_stdlib.handlers.placeholders import find_value, legal_part, shorten
from otel_stdlib.spool.frame import Frame

__all__ = ["DataStream", "IndexPattern", "safe_part"]

#: The directives whose text is legal in an index name and fixed within an hour.
_DIRECTIVES = "YymdjHGVUWu"
_TOKEN = re.compile(r"%(.)|\{([^{}]+)\}", re.DOTALL)
# What Elasticsearch refuses in an index name (docs, "Create an index"), and upper case.
_ILLEGAL = re.compile(r"[\\/*?\"<>| ,#:{}\x00-\x20A-Z]")
_UNSAFE = re.compile(r"[^a-z0-9._-]")
_HOUR_NS = 3_600_000_000_000
_MAX_NAME = 255


def safe_part(value: object) -> str:
    """A value as a legal part of an index name; two values give the same one only if their case alone differs."""
    return legal_part(str(value).lower(), _UNSAFE, "-_.+")


class IndexPattern:
    """An ``index_pattern``. Used by several threads at once.

    Args:
        pattern: as the option, for example ``"{tenant}-logs-%Y.%m.%d"``.

    Raises:
        ConfigError: it cannot give legal names.
    """

    #: A plain index, not a data stream.
    is_stream = False

    def __init__(self, pattern: str) -> None:
        if not pattern:
            raise ConfigError("option 'index_pattern' must not be empty", option="index_pattern")
        for directive in re.findall(r"%(.?)", pattern, re.DOTALL):
            if not directive or directive not in _DIRECTIVES + "%":
                known = " ".join(f"%{sign}" for sign in _DIRECTIVES)
                raise ConfigError(
                    f"option 'index_pattern' ({pattern!r}) may use {known}, not '%{directive}'",
                    option="index_pattern",
                )
        fixed = _TOKEN.sub(lambda token: "%" if token[1] == "%" else "", pattern)
        if _ILLEGAL.search(fixed) or fixed in (".", "..") or pattern[0] in "-_+":
            raise ConfigError(
                f"option 'index_pattern' ({pattern!r}) must be lower case, must not begin with - _ or +, and must not "
                'have spaces or any of \\ / * ? " < > | , # :',
                option="index_pattern",
            )
        self.pattern = pattern
        self._attributes = [name for sign, name in _TOKEN.findall(pattern) if name]
        self._names: dict[object, str] = {}
        #: The pattern that fits all its names, for a template.
        self.wildcard = re.sub(
            r"\*+", "*", _TOKEN.sub(lambda token: "%" if token[1] == "%" else "*", pattern)
        )

    def name(self, frame: Frame, resource: bytes) -> str:
        """The index of one record."""
        hour = frame.time_ns // _HOUR_NS
        if not self._attributes:
            return self._names.get(hour) or self._make(hour, hour, ())
        values = self._values(frame.payload, resource)
        key = (hour, values)
        return self._names.get(key) or self._make(key, hour, values)

    def _make(self, key: object, hour: int, values: tuple[str, ...]) -> str:
        when = datetime.fromtimestamp(hour * 3_600, tz=timezone.utc)
        parts = iter(values)
        name = _TOKEN.sub(
            lambda token: safe_part(next(parts)) if token[2] else when.strftime(token[0]), self.pattern
        )
        if len(name) > _MAX_NAME:
            name = shorten(name, _MAX_NAME)
        return keep(self._names, key, name)

    def _values(self, payload: bytes, resource: bytes) -> tuple[str, ...]:
        record = orjson.loads(payload.rstrip(b",") + b"}}")
        where = (record["attributes"], orjson.loads(resource), record)
        return tuple(str(find_value(name, where)) for name in self._attributes)


@dataclass(frozen=True)
class DataStream:
    """A data stream's name in its three parts (Elastic's data stream naming scheme).

    Raises:
        ConfigError: a part is not legal.
    """

    type: str = "logs"
    dataset: str = "generic"
    namespace: str = "default"

    #: Documents go to a data stream: only ``create``, and ``@timestamp`` is needed.
    is_stream = True

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            good = isinstance(value, str) and value and not _ILLEGAL.search(value) and "-" not in value
            if not good or len(value.encode()) > 100 or value[0] in "_+.":
                raise ConfigError(
                    f"option 'data_stream': {item.name!r} must be lower case, at most 100 bytes, without '-', "
                    f'spaces or any of \\ / * ? " < > | , # :, not {value!r}',
                    option=f"data_stream.{item.name}",
                )

    @classmethod
    def of(cls, value: object) -> DataStream:
        """A data stream from an option's mapping."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(
                f"option 'data_stream' must be a mapping of type, dataset, namespace, not {value!r}",
                option="data_stream",
            )
        known = [item.name for item in fields(cls)]
        for name in value:
            if name not in known:
                raise ConfigError(
                    f"option 'data_stream' has no {name!r}{nearest(name, known)}",
                    option=f"data_stream.{name}",
                )
        return cls(**dict(value))

    @property
    def pattern(self) -> str:
        """The stream's name."""
        return f"{self.type}-{self.dataset}-{self.namespace}"

    #: The pattern of a template.
    wildcard = pattern

    def name(self, frame: Frame, resource: bytes) -> str:
        """The stream, whatever the record."""
        return self.pattern
