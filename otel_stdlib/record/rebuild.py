"""From a line back to a ``LogRecord``, for the standard library's handlers behind the queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from otel_stdlib.record.lift import MESSAGE_KEYS, OWN_ATTRIBUTES
from otel_stdlib.record.standin import stand_in
from otel_stdlib.record.template import TEMPLATE, restore_template

__all__ = ["RebuiltRecord", "rebuild_record"]

_EMPTY = {"trace_id": "", "span_id": "", "trace_flags": "", "correlation_id": ""}
#: Attributes that are the record's own fields again and nothing more.
_OWN = frozenset(
    {
        "asyncio.task.name",
        "code.file.path",
        "code.line.number",
        "code.stacktrace",
        "correlation_id",
        "exception.stacktrace",
        "multiprocessing.process.name",
        "process.pid",
        "thread.id",
        "thread.name",
    }
)


class RebuiltRecord(logging.LogRecord):
    """A ``LogRecord`` that knows the resource of the process that logged it.

    In a slot and not in ``__dict__``, where other formatters would take it for an extra.
    """

    __slots__ = ("_otel_stdlib_resource",)

    _otel_stdlib_resource: Mapping[str, Any]

    @property
    def otel_stdlib_resource(self) -> Mapping[str, Any]:
        """The resource's attributes."""
        return self._otel_stdlib_resource


def rebuild_record(
    line: Mapping[str, Any], level: int, time_ns: int, *, foreign: bool = False
) -> RebuiltRecord:
    """A record that formats as the original would have.

    ``msg`` and ``args`` are the original ones where these travelled; else the message is final
    (``args`` is None). A structured one is the mapping again. An exception
    is its text (``exc_text``); see ``foreign``. Extras stand under their own names; ``trace_id``, ``span_id``,
    ``trace_flags`` and ``correlation_id`` are always there, empty without a trace. What a record
    has no field for is an extra: ``log.record.uid``, ``code.function.name``, ``exception.type``,
    ``exception.message``, ``event.name``; attributes under names that a record has itself stand in
    a dictionary, ``otel_stdlib.attributes``. With them ``OTelFormatter`` writes the same line again.

    Args:
        line: a closed line as a dictionary; any JSON value may stand anywhere in it.
        level: the ``logging`` level, which a line does not hold.
        time_ns: nanoseconds since 1970 UTC.
        foreign: for a formatter or handler of another kind: ``exc_info`` is a stand-in for the exception, which
            ``traceback`` and ``Formatter.formatException`` print as the stored text.
    """
    attributes = dict(_mapping(line.get("attributes")))
    function = _text(attributes.get("code.function.name"))
    record = RebuiltRecord(
        name=_text(_mapping(line.get("scope")).get("name"), "root"),
        level=level,
        pathname=_text(attributes.get("code.file.path")),
        lineno=_number(attributes.get("code.line.number")) or 0,
        msg="",
        args=None,
        exc_info=None,
        func=function.rpartition(".")[2] or None,
        sinfo=_text(attributes.get("code.stacktrace")) or None,
    )
    fields = record.__dict__
    # Set afterwards, as the constructor would take a mapping apart.
    fields["msg"], fields["args"] = restore_template(line.get("body", ""), attributes.pop(TEMPLATE, None))
    fields["levelname"] = _text(line.get("severity_text"), record.levelname)
    created = time_ns / 1e9
    fields["relativeCreated"] += (created - fields["created"]) * 1000
    fields["created"] = created
    fields["msecs"] = float(time_ns // 1_000_000 % 1000)
    fields["thread"] = _number(attributes.get("thread.id"))
    fields["threadName"] = attributes.get("thread.name")
    resource = _mapping(line.get("resource"))
    record._otel_stdlib_resource = resource
    # 0 where the resource does not say: ``%(process)d`` is in many format strings.
    fields["process"] = _number(attributes.get("process.pid", resource.get("process.pid"))) or 0
    fields["processName"] = attributes.get("multiprocessing.process.name", "MainProcess")
    fields["exc_text"] = _text(attributes.get("exception.stacktrace")) or None
    if foreign and (exc_info := stand_in(attributes)) is not None:
        # As in a log call, where no formatter has been there yet: one may have a ``formatException`` of its own.
        fields["exc_info"], fields["exc_text"] = exc_info, None
    if "taskName" in fields:
        fields["taskName"] = attributes.get("asyncio.task.name")
    taken: dict[str, Any] = {}
    for name, value in attributes.items():
        if name not in _OWN:
            (taken if name in fields or name in MESSAGE_KEYS else fields)[name] = value
    if taken:
        fields[OWN_ATTRIBUTES] = taken
    for name, empty in _EMPTY.items():
        fields[name] = line.get(name, attributes.get(name, empty))
    if line.get("event_name"):
        fields["event.name"] = line["event_name"]
    return record


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any, default: str = "") -> str:
    return default if value is None else str(value)


def _number(value: Any) -> int | None:
    # A caller's own attribute may stand under the name.
    return value if type(value) is int else None
