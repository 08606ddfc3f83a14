"""What ``python-json-logger``'s options do to the top level of a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pythonjsonlogger.core import BaseJsonFormatter

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.record.shapes import SHAPES

__all__ = ["arrange", "check_options", "is_arranged"]

_TEXT, _MAPPING, _FLAG = (str,), (Mapping,), (bool,)
#: Each option's types, beside None.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "format": _TEXT,
    "service_name": _TEXT,
    "service_version": _TEXT,
    "resource": _MAPPING,
    "static_attributes": _MAPPING,
    "prefix": _TEXT,
    "rename_fields": _MAPPING,
    "rename_fields_keep_missing": _FLAG,
    "static_fields": _MAPPING,
    "timestamp": (bool, str),
    "defaults": _MAPPING,
    "exc_info_as_array": _FLAG,
    "stack_info_as_array": _FLAG,
}
_NAMES = {str: "a text", Mapping: "a mapping", bool: "true or false"}
#: What attributes of a ``LogRecord`` are called in the line: by these names, too, a field is renamed.
_ALIASES = {
    "asctime": "timestamp",
    "created": "timestamp",
    "levelname": "severity_text",
    "message": "body",
    "msg": "body",
    "name": "scope",
}


def check_options(options: Mapping[str, Any]) -> None:
    """Check names and types.

    Raises:
        ConfigError: for the first wrong one; ``option`` is its name.
    """
    for name, value in options.items():
        if name not in _TYPES:
            raise ConfigError(f"unknown option {name!r} of OTelFormatter", option=name)
        types = _TYPES[name]
        if value is not None and not isinstance(value, types):
            wanted = " or ".join(_NAMES[kind] for kind in types)
            raise ConfigError(f"option {name!r} must be {wanted}, not {value!r}", option=name)
        new_names = value.values() if name == "rename_fields" and isinstance(value, Mapping) else ()
        if not all(isinstance(new, str) for new in new_names):
            raise ConfigError("option 'rename_fields' must map names to names", option=name)
    if options.get("format") not in SHAPES:
        raise ConfigError(
            f"option 'format' must be one of {', '.join(SHAPES)}, not {options.get('format')!r}",
            option="format",
        )


def is_arranged(formatter: BaseJsonFormatter) -> bool:
    """Whether any option changes the top level."""
    return bool(
        formatter.rename_fields
        or formatter.static_fields
        or formatter.timestamp
        or formatter.prefix
        or formatter.defaults
        or formatter.rename_fields_keep_missing
        or formatter.exc_info_as_array
        or formatter.stack_info_as_array
    )


def arrange(formatter: BaseJsonFormatter, line: Mapping[str, Any], timestamp: str) -> dict[str, Any]:
    """The line with the formatter's options applied, in the order that ``python-json-logger`` has."""
    fields: dict[str, Any] = {**formatter.defaults, **line, **formatter.static_fields}
    if formatter.timestamp:
        fields[formatter.timestamp if isinstance(formatter.timestamp, str) else "timestamp"] = timestamp
    renames: dict[str, str] = {}
    for name, new in formatter.rename_fields.items():
        renames[name if name in fields else _ALIASES.get(name, name)] = new
    arranged = {renames.get(name, name): value for name, value in fields.items()}
    if formatter.rename_fields_keep_missing:
        for new in formatter.rename_fields.values():
            arranged.setdefault(new, None)
    return arranged
