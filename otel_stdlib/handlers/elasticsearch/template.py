"""The index template: what it says, and whether the one that is there may be replaced. Pure.

Attributes cannot explode the mapping: ``dotted`` ones are mapped as they come up to the
index's field limit and then stored without being indexed; ``flattened`` ones are one field.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions

__all__ = ["Decision", "content_hash", "decide", "template_body", "template_name"]

#: Raised when the body below changes, so that an older version of the package leaves a newer one's alone.
VERSION = 1
_MANAGED_BY = "otel_stdlib"
#: Above the built-in ``logs-*-*`` (100) and ``logs-*.otel-*`` (120). More literal characters, more priority:
#: two patterns that overlap must not have the same.
_BASE_PRIORITY = 200
#: What the server adds by itself.
_VOLATILE = ("_meta", "created_date", "created_date_millis", "modified_date", "modified_date_millis")

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_TEXT = {"type": "match_only_text"}
_FLATTENED = {"type": "flattened", "ignore_above": 1024, "depth_limit": 64}
_NANOS = {"type": "date_nanos"}


class Decision(enum.Enum):
    """What to do about the template that is there."""

    CREATE = "create"
    UPDATE = "update"
    #: Ours and the same, or a newer version's.
    KEEP = "keep"
    #: A person made or changed it.
    LEAVE = "leave"


def template_name(options: ElasticsearchOptions) -> str:
    """The template's name: as the option says, else after the indices it is for."""
    if isinstance(options.template, str):
        return options.template
    return f"otel_stdlib-{options.naming.wildcard.replace('*', '_')}"


def template_body(options: ElasticsearchOptions) -> dict[str, Any]:
    """The whole template, with the hash of its content in ``_meta``."""
    naming = options.naming
    # Settings nested and as texts, the way the server gives them back.
    index: dict[str, Any] = {
        "mapping": {"ignore_malformed": "true", "total_fields": {"ignore_dynamic_beyond_limit": "true"}},
    }
    if options.logsdb:
        host = "host.hostname" if options.mapping == "ecs" else "resource.host.name"
        index["mode"] = "logsdb"
        index["sort"] = {"field": [host, "@timestamp"], "order": ["asc", "desc"]}
    body: dict[str, Any] = {
        "index_patterns": [naming.wildcard],
        "priority": _BASE_PRIORITY + min(len(naming.wildcard.replace("*", "")), 255),
        "template": {"settings": {"index": index}, "mappings": _mappings(options)},
    }
    if naming.is_stream:
        body["data_stream"] = {}
    body["_meta"] = {
        "managed_by": _MANAGED_BY,
        "version": VERSION,
        "mapping": options.mapping,
        "hash": content_hash(body),
    }
    return body


def decide(present: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Decision:
    """What to do, given the template under our name (None: there is none)."""
    if present is None:
        return Decision.CREATE
    meta = present.get("_meta") or {}
    if meta.get("managed_by") != _MANAGED_BY or meta.get("hash") != content_hash(present):
        return Decision.LEAVE
    ours = wanted["_meta"]
    if meta.get("hash") == ours["hash"] or _number(meta.get("version")) > ours["version"]:
        return Decision.KEEP
    return Decision.UPDATE


def content_hash(body: Mapping[str, Any]) -> str:
    """A hash of everything in a template but ``_meta``, the same for what was sent and what comes back."""
    content = {key: _plain(value) for key, value in body.items() if key not in _VOLATILE}
    if "data_stream" in content:  # comes back with its defaults written out
        content["data_stream"] = {
            key: value for key, value in content["data_stream"].items() if value is not False
        }
    content = {key: value for key, value in content.items() if value or key == "data_stream"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    """``value`` with "true" and True, "1" and 1 made equal: the server turns settings into texts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    return value


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _mappings(options: ElasticsearchOptions) -> dict[str, Any]:
    return {
        # Unknown members at the top are stored, not mapped.
        "dynamic": "false",
        "date_detection": False,
        "dynamic_templates": [{"texts_as_keywords": {"match_mapping_type": "string", "mapping": _KEYWORD}}],
        "properties": _ecs_fields() if options.mapping == "ecs" else _otel_fields(options),
    }


def _otel_fields(options: ElasticsearchOptions) -> dict[str, Any]:
    has_at = options.mapping == "otel" or options.naming.is_stream or options.logsdb
    # Fields under a passthrough object answer to their short names too: service.name, http.route.
    attributes = {
        "type": "passthrough",
        "dynamic": "true",
        "priority": 20,
        "properties": {"log.record.uid": _KEYWORD},
    }
    fields: dict[str, Any] = {
        "timestamp": {**_NANOS, "index": False, "doc_values": False} if has_at else _NANOS,
        "severity_text": _KEYWORD,
        "severity_number": {"type": "byte"},
        "body": _TEXT,
        "body_structured": _FLATTENED,
        "trace_id": _KEYWORD,
        "span_id": _KEYWORD,
        "trace_flags": {"type": "keyword", "index": False, "doc_values": False},
        "event_name": _KEYWORD,
        "scope": {"properties": {"name": _KEYWORD}},
        "attributes": _FLATTENED if options.attributes == "flattened" else attributes,
        "resource": {
            "type": "passthrough",
            "dynamic": "true",
            "priority": 10,
            "properties": {"service.name": _KEYWORD, "host.name": _KEYWORD},
        },
        # What Kibana's views ask for by their ECS names.
        "message": {"type": "alias", "path": "body"},
        "log": {
            "properties": {
                "level": {"type": "alias", "path": "severity_text"},
                "logger": {"type": "alias", "path": "scope.name"},
            }
        },
        "trace": {"properties": {"id": {"type": "alias", "path": "trace_id"}}},
        "span": {"properties": {"id": {"type": "alias", "path": "span_id"}}},
    }
    if has_at:
        fields["@timestamp"] = _NANOS
    if options.naming.is_stream:
        fields["data_stream"] = _stream_fields()
    return fields


def _stream_fields() -> dict[str, Any]:
    return {"properties": dict.fromkeys(("type", "dataset", "namespace"), _KEYWORD)}


def _ecs_fields() -> dict[str, Any]:
    thread = {"properties": {"id": {"type": "long"}, "name": _KEYWORD}}
    file = {"properties": {"name": _KEYWORD, "line": {"type": "long"}}}
    service = ("name", "version", "namespace", "environment")
    opened = {"type": "object", "dynamic": "true"}
    return {
        "@timestamp": _NANOS,
        "message": _TEXT,
        "ecs": {"properties": {"version": _KEYWORD}},
        "log": {
            "properties": {
                "level": _KEYWORD,
                "logger": _KEYWORD,
                "origin": {"properties": {"file": file, "function": _KEYWORD}},
            }
        },
        "event": {"properties": {"id": _KEYWORD, "action": _KEYWORD, "severity": {"type": "long"}}},
        "trace": {"properties": {"id": _KEYWORD}},
        "span": {"properties": {"id": _KEYWORD}},
        "error": {"properties": {"type": _KEYWORD, "message": _TEXT, "stack_trace": _TEXT}},
        "process": {"properties": {"pid": {"type": "long"}, "thread": thread, "executable": _KEYWORD}},
        "service": {
            "properties": {**dict.fromkeys(service, _KEYWORD), "node": {"properties": {"name": _KEYWORD}}}
        },
        "host": {**opened, "properties": {"hostname": _KEYWORD}},
        "container": opened,
        "orchestrator": opened,
        "data_stream": _stream_fields(),
        "labels": {"type": "object", "dynamic": "true", "subobjects": False},
        "attributes": _FLATTENED,
        "body": _FLATTENED,
    }
