"""More columns than the standard ones, filled from attributes: each value as COPY text, or NULL.

A value that does not fit its column's type becomes NULL: it still stands in ``attributes``, and
one odd value must not cost its record.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.postgres.names import MAX_BYTES

__all__ = ["NULL", "RESERVED", "STANDARD", "TYPES", "ExtraColumn", "copy_text"]

NULL = b"\\N"
#: The seed's columns that are written, in the order in which rows give them.
STANDARD = (
    "timestamp",
    "severity_text",
    "severity_number",
    "body",
    "trace_id",
    "span_id",
    "resource",
    "attributes",
)
#: Columns that have a source of their own.
RESERVED = frozenset(("id", *STANDARD))
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?")
_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
        "\0": "\ufffd",
    }
)


def copy_text(text: str) -> bytes:
    """A text as one field of COPY's text format. NUL becomes U+FFFD, a lone surrogate ``?``."""
    return text.translate(_ESCAPES).encode("utf-8", "replace")


def _text(value: Any) -> bytes:
    if isinstance(value, str):
        return copy_text(value)
    return _json(value)


def _json(value: Any) -> bytes:
    return orjson.dumps(value).replace(b"\\", b"\\\\")


def _whole(bits: int) -> Callable[[Any], bytes]:
    limit = 1 << (bits - 1)

    def convert(value: Any) -> bytes:
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit:
            return b"%d" % value
        return NULL

    return convert


def _number(value: Any) -> bytes:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        # Both float and numeric columns take what is a finite float.
        return value.strip().encode() if 1e-300 < abs(float(value)) < 1e300 or float(value) == 0 else NULL
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return NULL
    return repr(value).encode()


def _boolean(value: Any) -> bytes:
    words = {"true": b"t", "false": b"f"}
    return words.get(value.lower() if isinstance(value, str) else repr(value).lower(), NULL)


def _uuid(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) and _UUID.fullmatch(value) else NULL


def _time(value: Any) -> bytes:
    if not isinstance(value, str):
        return NULL
    try:
        moment = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return NULL
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    return moment.isoformat().encode()


#: A column's SQL type: how a value is written for it.
TYPES: Mapping[str, Callable[[Any], bytes]] = {
    "text": _text,
    "jsonb": _json,
    "smallint": _whole(16),
    "integer": _whole(32),
    "bigint": _whole(64),
    "double precision": _number,
    "numeric": _number,
    "boolean": _boolean,
    "uuid": _uuid,
    "timestamptz": _time,
}
_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float": "double precision",
    "float8": "double precision",
    "bool": "boolean",
    "decimal": "numeric",
    "string": "text",
    "varchar": "text",
    "json": "jsonb",
    "timestamp with time zone": "timestamptz",
}


class ExtraColumn(NamedTuple):
    """One column of the user's and the attribute that fills it."""

    name: str
    attribute: str
    type: str

    @classmethod
    def parse_all(cls, columns: object) -> tuple[ExtraColumn, ...]:
        """The option ``columns``.

        Raises:
            ConfigError: it is no mapping of column names to types.
        """
        if not isinstance(columns, Mapping):
            raise ConfigError(
                f"option 'columns' must be a mapping of names to types, not {type(columns).__name__}",
                option="columns",
            )
        return tuple(cls._parse(name, value) for name, value in columns.items())

    @classmethod
    def _parse(cls, name: object, value: object) -> ExtraColumn:
        if not isinstance(name, str) or not name or "\0" in name or len(name.encode()) > MAX_BYTES:
            raise ConfigError(f"option 'columns': {name!r} is no column name", option="columns")
        if name in RESERVED:
            raise ConfigError(f"option 'columns': {name!r} is one of the standard columns", option="columns")
        attribute: object = name
        kind: object = value
        if isinstance(value, Mapping):
            unknown = sorted(str(key) for key in value if key not in ("attribute", "type"))
            if unknown:
                raise ConfigError(f"option 'columns': {name!r} has unknown keys {unknown}", option="columns")
            attribute, kind = value.get("attribute", name), value.get("type", "text")
        if not isinstance(attribute, str) or not attribute:
            raise ConfigError(f"option 'columns': the attribute of {name!r} must be a name", option="columns")
        word = " ".join(kind.lower().split()) if isinstance(kind, str) else ""
        word = _ALIASES.get(word, word)
        if word not in TYPES:
            raise ConfigError(
                f"option 'columns': the type of {name!r} must be one of {', '.join(TYPES)}, not {kind!r}",
                option="columns",
            )
        return cls(name, attribute, word)

    def field(self, attributes: Mapping[str, Any]) -> bytes:
        """This column's field of a COPY row."""
        value = attributes.get(self.attribute)
        return NULL if value is None else TYPES[self.type](value)
