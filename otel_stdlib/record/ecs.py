"""Elastic Common Schema 8: a record as ECS documents have it.

What ECS has no field for is kept under ``labels`` (text) or, when it has structure, under
``attributes``; dots in their names become underscores, as ECS asks of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["ecs_document"]

_VERSION = "8.17.0"
_ATTRIBUTES = {
    "exception.type": "error.type",
    "exception.message": "error.message",
    "exception.stacktrace": "error.stack_trace",
    "code.function.name": "log.origin.function",
    "code.file.path": "log.origin.file.name",
    "code.line.number": "log.origin.file.line",
    "thread.id": "process.thread.id",
    "thread.name": "process.thread.name",
    "log.record.uid": "event.id",
}
_RESOURCE = {
    "service.name": "service.name",
    "service.version": "service.version",
    "service.instance.id": "service.node.name",
    "deployment.environment": "service.environment",
    "deployment.environment.name": "service.environment",
    "process.pid": "process.pid",
    "process.parent_pid": "process.parent.pid",
    "process.creation.time": "process.start",
    "process.executable.name": "process.name",
    "process.executable.path": "process.executable",
    "process.owner": "user.name",
    "host.name": "host.hostname",
    "host.id": "host.id",
    "host.arch": "host.architecture",
    "os.type": "host.os.type",
    "os.version": "host.os.version",
    "os.description": "host.os.full",
    "container.id": "container.id",
    "k8s.pod.name": "orchestrator.resource.name",
    "k8s.pod.uid": "orchestrator.resource.id",
    "k8s.namespace.name": "orchestrator.namespace",
    "telemetry.sdk.name": "agent.name",
    "telemetry.sdk.version": "agent.version",
}


def ecs_document(line: Mapping[str, Any]) -> dict[str, Any]:
    """A record in ECS, with dotted names nested."""
    body = line.get("body")
    flat: dict[str, Any] = {
        "@timestamp": line["timestamp"],
        "log.level": str(line.get("severity_text", "")).lower(),
        "message": _text(body),
        "ecs.version": _VERSION,
        "log.logger": line.get("scope", {}).get("name", ""),
        "event.severity": line.get("severity_number", 0),
    }
    if isinstance(body, Mapping):
        flat["body"] = dict(body)
    if line.get("event_name"):
        flat["event.action"] = line["event_name"]
    if line.get("trace_id"):
        flat["trace.id"] = line["trace_id"]
        if line.get("span_id"):
            flat["span.id"] = line["span_id"]
    labels: dict[str, str] = {}
    structured: dict[str, Any] = {}
    for known, members in ((_ATTRIBUTES, line.get("attributes", {})), (_RESOURCE, line.get("resource", {}))):
        for name, value in members.items():
            if name in known:
                flat[known[name]] = value
            elif isinstance(value, (Mapping, list)):
                structured[name.replace(".", "_")] = value
            elif value is not None:
                labels[name.replace(".", "_")] = _text(value)
    if "host.hostname" in flat:
        flat["host.name"] = flat["host.hostname"]
    if line.get("otel.dropped_attributes_count"):
        labels["otel_dropped_attributes_count"] = str(line["otel.dropped_attributes_count"])
    if labels:
        flat["labels"] = labels
    if structured:
        flat["attributes"] = structured
    return _nest(flat)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        place = nested
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested
