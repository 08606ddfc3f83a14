"""The JSON Schema of configurations: made from the options' dataclasses, published as ``schema.json``.

``python -c "from otel_stdlib.config.schema import write_schema; write_schema()"`` writes the file anew;
a test holds that it is current.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import types
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Literal, Union

from otel_stdlib import filters
from otel_stdlib.config.registry import BUILT_IN, import_path
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.spool.options import DURABILITIES, OVERFLOWS, SpoolOptions

__all__ = ["build_schema", "load_schema", "schema_text", "write_schema"]

_FILE = "schema.json"
_TEXT = {"type": "string"}
_WORDS = {"type": "array", "items": _TEXT}
_SECONDS = {"type": "number", "minimum": 0}
_LEVEL = {"type": ["string", "integer"]}
_LEVEL_OR_NULL = {"type": ["string", "integer", "null"]}
_RESOURCE = {
    "type": ["object", "null"],
    "properties": {
        "include": {"type": ["array", "null"], "items": _TEXT},
        "exclude": {"type": ["array", "null"], "items": _TEXT},
        "attributes": {"type": ["object", "null"]},
    },
    "additionalProperties": False,
}
#: What a handler with a spool says of the resource.
_DESCRIBED = {
    "service_name": {"type": ["string", "null"]},
    "service_version": {"type": ["string", "null"]},
    "resource": _RESOURCE,
}
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_SHAPES = {"dict": "object", "Mapping": "object", "list": "array", "tuple": "array", "Sequence": "array"}
#: What ``dictConfig`` itself reads in a handler's section.
_HANDLER_KEYS = {
    "class": _TEXT,
    "()": {},
    "level": _LEVEL_OR_NULL,
    "formatter": {"type": ["string", "null"]},
    "filters": {"type": ["array", "null"]},
    ".": {},
}


def build_schema() -> dict[str, Any]:
    """The schema, from the options as they are now; a back end that is not there yet is left out."""
    from otel_stdlib.config.redaction_schema import REDACTION_SCHEMA  # compiles the rules

    options = {name: found for name in BUILT_IN if (found := _backend(name)) is not None}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of otel_stdlib",
        "description": "A 'logger:' document for configure_logger, or a document for logging.config.dictConfig.",
        "type": "object",
        "if": {"required": ["logger"], "not": {"required": ["version"]}},
        "then": {"$ref": "#/$defs/document"},
        "else": {"$ref": "#/$defs/dictConfig"},
        "$defs": {
            "document": _object({"logger": {"$ref": "#/$defs/logger"}}, required=["logger"]),
            "logger": _logger(),
            "backend": _backend_entry(options),
            "spool": _spool(),
            "redaction": REDACTION_SCHEMA,
            "dictConfig": _dict_config(),
            "handler": _handler(options),
            "filter": _filter(),
            **options,
        },
    }


def _object(properties: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _logger() -> dict[str, Any]:
    return _object(
        {
            "service_name": _TEXT,
            "service_version": {"type": ["string", "number"]},
            "log_level": _LEVEL,
            "enable_console": {"type": "boolean"},
            "backends": {"type": "array", "items": {"$ref": "#/$defs/backend"}},
            "resource": {"type": "object"},
            "attributes": {"type": "object"},
            "levels": {"type": "object", "additionalProperties": _LEVEL},
            "spool": {"$ref": "#/$defs/spool"},
            "shutdown_timeout": _SECONDS,
            "drain_on_sigterm": {"type": "boolean"},
            "redaction": {"$ref": "#/$defs/redaction"},
            "reload": _object(
                {
                    "watch": {"type": "boolean"},
                    "interval": {"type": "number", "exclusiveMinimum": 0},
                    "signal": _TEXT,
                }
            ),
        }
    )


def _backend_entry(options: Mapping[str, Any]) -> dict[str, Any]:
    entry = _object(
        {
            "backend_type": _TEXT,
            "name": _TEXT,
            "level": _LEVEL,
            "enabled": {"type": "boolean"},
            "config": {"type": ["object", "null"]},
        },
        ["backend_type"],
    )
    entry["allOf"] = [_options_of(name) for name in options]
    return entry


def _options_of(name: str) -> dict[str, Any]:
    names = {"enum": [name, *BUILT_IN[name].aliases]}
    return {
        "if": {"properties": {"backend_type": names}, "required": ["backend_type"]},
        "then": {"properties": {"config": {"$ref": f"#/$defs/{name}"}}},
    }


def _backend(name: str) -> dict[str, Any] | None:
    try:
        options = import_path(BUILT_IN[name].options)
        handler = import_path(BUILT_IN[name].handler)
    except ConfigError:
        return None
    properties = _from_dataclass(options)
    for kind in (handler, DestinationHandler):
        for parameter in inspect.signature(kind.__init__).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                properties.setdefault(parameter.name, {})
    properties["level"] = _LEVEL
    properties["spool"] = {"$ref": "#/$defs/spool"}
    properties["shutdown_timeout"] = _SECONDS
    properties.update(_DESCRIBED)
    properties["redaction"] = {"$ref": "#/$defs/redaction"}
    return {**_object(dict(sorted(properties.items()))), "type": ["object", "null"]}


def _spool() -> dict[str, Any]:
    spool = _object(_from_dataclass(SpoolOptions))
    spool["properties"]["durability"] = {"enum": list(DURABILITIES)}
    spool["properties"]["overflow"] = {"enum": list(OVERFLOWS)}
    return spool


def _dict_config() -> dict[str, Any]:
    # What dictConfig takes: a number for a switch, and null for what is left out.
    switch = {"type": ["boolean", "number", "null"]}
    items = {"type": ["array", "null"]}
    logger = _object(
        {
            "level": _LEVEL_OR_NULL,
            "propagate": switch,
            "filters": items,
            "handlers": {**items, "items": _TEXT},
        }
    )
    return {
        "type": "object",
        # Other keys are allowed: they may be the targets of cfg:// and of anchors.
        "properties": {
            "version": {"const": 1},
            "incremental": switch,
            "disable_existing_loggers": switch,
            "formatters": {"type": "object", "additionalProperties": {"type": "object"}},
            "filters": {"type": "object", "additionalProperties": {"$ref": "#/$defs/filter"}},
            "handlers": {"type": "object", "additionalProperties": {"$ref": "#/$defs/handler"}},
            "loggers": {"type": "object", "additionalProperties": logger},
            "root": {**logger, "type": ["object", "null"]},
        },
        "required": ["version"],
    }


def _handler(options: Mapping[str, Any]) -> dict[str, Any]:
    queue = {
        "queue": {},
        "listener": {},
        "handlers": {"type": "array"},
        "spool": {"$ref": "#/$defs/spool"},
        "respect_handler_level": {"type": "boolean"},
        "shutdown_timeout": _SECONDS,
        **_DESCRIBED,
        "drain_on_sigterm": {"type": "boolean"},
        "fast_records": {"type": "boolean"},
        "redaction": {"$ref": "#/$defs/redaction"},
    }
    cases = [_case("otel_stdlib.OTelQueueHandler", {**_HANDLER_KEYS, **queue})]
    cases += [
        _case(BUILT_IN[name].public, {**options[name]["properties"], **_HANDLER_KEYS}) for name in options
    ]
    # With "incremental: true" a handler's section has a level and nothing else.
    return {"type": "object", "properties": _HANDLER_KEYS, "allOf": cases}


def _filter() -> dict[str, Any]:
    cases = []
    for name in filters.__all__:
        init = getattr(filters, name).__init__
        hints = typing.get_type_hints(init)
        options = {key: _type_schema(hints.get(key, Any)) for key in inspect.signature(init).parameters}
        del options["self"]
        cases.append(_case(f"otel_stdlib.filters.{name}", {"()": {}, "class": _TEXT, ".": {}, **options}))
    return {"type": "object", "allOf": cases}


def _case(path: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    named = [{"properties": {key: {"const": path}}, "required": [key]} for key in ("()", "class")]
    return {"if": {"anyOf": named}, "then": {"properties": dict(properties), "additionalProperties": False}}


def _from_dataclass(options: type[Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(options)
    except NameError:
        hints = {}
    return {
        item.name: _type_schema(hints.get(item.name, Any))
        for item in dataclasses.fields(options)
        if item.init
    }


def _type_schema(hint: Any) -> dict[str, Any]:
    """What JSON may stand for a type; everything where that is not plain."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return {"enum": list(typing.get_args(hint))}
    if origin in (Union, types.UnionType):
        parts = [_type_schema(part) for part in typing.get_args(hint)]
        if not all(set(part) in ({"type"}, {"enum"}) for part in parts):
            return {}
        if any("enum" in part for part in parts):
            return {"anyOf": parts}
        return {"type": sorted({str(part["type"]) for part in parts})}
    kind = _KINDS.get(hint)
    if kind is None:
        name = getattr(origin or hint, "__name__", "")
        kind = "string" if (origin or hint) is os.PathLike else _SHAPES.get(name)
    return {"type": kind} if kind else {}


def schema_text() -> str:
    """The published file's text."""
    return json.dumps(build_schema(), indent=1, sort_keys=True) + "\n"


@lru_cache(maxsize=1)
def load_schema() -> dict[str, Any]:
    """The published schema."""
    text = resources.files("otel_stdlib.config").joinpath(_FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def write_schema() -> None:
    """Write the published file anew, into the package's folder."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), _FILE), "w", encoding="utf-8") as file:
        file.write(schema_text())
