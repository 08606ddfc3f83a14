"""``OTelFormatter``: a ``python-json-logger`` formatter that writes OpenTelemetry log records."""

from __future__ import annotations

import copy
import itertools
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from pythonjsonlogger.core import BaseJsonFormatter

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.unexpanded import warn_unexpanded
from otel_stdlib.record.arrange import arrange, check_options, is_arranged
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.line import close_line, load_line, load_record
from otel_stdlib.record.otlp import unix_nanos
from otel_stdlib.record.rebuild import RebuiltRecord, rebuild_record
from otel_stdlib.record.resource import Resource
from otel_stdlib.record.resource_options import ResourceOptions
from otel_stdlib.record.shapes import SHAPES

__all__ = ["OTelFormatter"]

_UID = "log.record.uid"
_OWN_UID = re.compile(r"[0-9A-Za-z]{26}-[0-9a-f]{14}\Z")
#: Made anew in each process, or from the options after unpickling.
_NOT_PICKLED = ("encoder", "_any_thread", "_detected", "_uid")


class OTelFormatter(BaseJsonFormatter):
    """Formats a record as one line of JSON: by default the OpenTelemetry record, in UTF-8.

    On the queue handler it decides what is encoded in the log call: ``json_default``,
    ``reserved_attrs``, ``limits``, ``severity_text``, ``static_attributes``, and the resource
    (``service_name``, ``service_version``, ``resource``). On a handler that writes lines it decides
    their shape: ``format``, ``rename_fields``, ``rename_fields_keep_missing``, ``static_fields``,
    ``timestamp``, ``prefix``, ``defaults``, ``exc_info_as_array``, ``stack_info_as_array``, ``fmt``,
    ``datefmt``. On any other handler it does both. Without a shaping option a line is made by
    concatenation.

    Under ``class:`` ``dictConfig`` passes ``format``, ``datefmt``, ``style``, ``validate`` and
    ``defaults`` only and is silent about the rest: write ``(): otel_stdlib.OTelFormatter``.

    Args:
        fmt: the fields of the line, as for every ``python-json-logger`` formatter: attributes of
            a ``LogRecord`` or members of the OpenTelemetry record. The line is then the one that
            ``python-json-logger`` writes: these fields, the caller's attributes, ``exc_info``.
        datefmt: as for ``logging.Formatter``; for ``asctime`` in ``fmt``.
        style: as for ``logging.Formatter``, of ``fmt``.
        validate: as for ``logging.Formatter``, of ``fmt``.
        format: ``otel``, ``otlp`` (one OTLP JSON ``LogsData`` a line) or ``ecs``.
        service_name: wins over ``OTEL_SERVICE_NAME``.
        service_version: wins over the environment.
        resource: a mapping of ``include`` and ``exclude`` (lists of names or patterns, such as ``process.*``,
            of the detected attributes to keep or leave out) and ``attributes`` (more of them, which win
            over what is detected); or the attributes alone.
        limits: a ``Limits`` or a mapping of some of its fields.
        json_default: asked for the JSON value of types that are not known.
        reserved_attrs: names on a record that do not become attributes; see ``LineEncoder``.
        static_attributes: attributes of every record.
        severity_text: ``source`` or ``short``; see ``LineEncoder``.
        options: ``prefix``, ``rename_fields`` (of the top level; ``levelname``, ``message``,
            ``name``, ``asctime`` and ``created`` stand for their OpenTelemetry members),
            ``rename_fields_keep_missing``, ``static_fields`` (added at the top level),
            ``timestamp`` (True or the name of one more member with the time), ``defaults`` (members
            of the top level that a record may override), ``exc_info_as_array``,
            ``stack_info_as_array``.

    Raises:
        ConfigError: an option is wrong; the message quotes it.
    """

    encoder: LineEncoder

    def __init__(
        self,
        fmt: str | Sequence[str] | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        format: str = "otel",  # noqa: A002 - the name that configurations use
        service_name: str | None = None,
        service_version: str | None = None,
        resource: Mapping[str, Any] | None = None,
        limits: Limits | Mapping[str, int] | None = None,
        json_default: Callable[[Any], Any] | None = None,
        reserved_attrs: Sequence[str] | None = None,
        static_attributes: Mapping[str, Any] | None = None,
        severity_text: str = "source",
        **options: Any,
    ) -> None:
        if isinstance(fmt, str) and fmt in SHAPES:
            # Under ``class:`` dictConfig passes its key ``format`` as ``fmt``.
            format, fmt = fmt, None  # noqa: A001
        check_options(
            {
                "format": format,
                "service_name": service_name,
                "service_version": service_version,
                "resource": resource,
                "static_attributes": static_attributes,
                **options,
            }
        )
        named = {"service_name": service_name, "service_version": service_version, "resource": resource}
        warn_unexpanded(type(self).__name__, {**named, "static_attributes": static_attributes})
        described = ResourceOptions.of(service_name, service_version, resource, allow_attributes=True)
        self._encoding: dict[str, Any] = {
            "limits": limits,
            "json_default": json_default,
            "reserved_attrs": reserved_attrs,
            "static_attributes": static_attributes,
            "severity_text": severity_text,
        }
        self._start()
        try:
            # No format string means the whole record, not the standard library's "%(message)s".
            super().__init__(
                [] if fmt is None else fmt, datefmt, style, validate, reserved_attrs=reserved_attrs, **options
            )
        except (TypeError, ValueError) as error:
            name = "style" if "must be one of" in str(error) else "fmt"
            raise ConfigError(f"option {name!r}: {error}", option=name) from error
        self._shape = format
        self._described = described
        #: Whether ``render`` is plain concatenation.
        self.is_plain = format == "otel" and not self._required_fields and not is_arranged(self)

    def _start(self) -> None:
        #: Encodes log calls; leaves out what delivery threads of this package log.
        self.encoder = LineEncoder(**self._encoding)
        self._any_thread = LineEncoder(**self._encoding, guard=False)
        self._detected: tuple[int, Resource] | None = None
        self._uid: tuple[int, str, Callable[[], int]] | None = None

    @property
    def static_attributes(self) -> Mapping[str, Any]:
        """The attributes of every record."""
        found: Mapping[str, Any] | None = self._encoding["static_attributes"]
        return found or {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_PICKLED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def describing(self, options: ResourceOptions) -> OTelFormatter:
        """This formatter with ``options`` for its resource where they are given; itself if none is."""
        if not options:
            return self
        twin = copy.copy(self)
        twin._described = options.over(self._described)
        return twin

    def resource(self) -> Resource:
        """The resource of this process: detected once in each. Some milliseconds the first time."""
        pid = os.getpid()
        if self._detected is None or self._detected[0] != pid:
            found = self._described.detect()
            self._detected = (pid, found)
            for problem in found.problems:
                say(f"resource:{problem}", problem)
        return self._detected[1]

    def format(self, record: logging.LogRecord) -> str:
        """The whole line, without a line end, for any handler. The record is not changed."""
        uid, resource = record.__dict__.get(_UID), self._resource_of(record)
        if isinstance(uid, str) and _OWN_UID.match(uid):
            # A record that has been through a spool, for a plain handler behind the queue.
            record = logging.makeLogRecord({k: v for k, v in record.__dict__.items() if k != _UID})
        else:
            uid = self._next_uid()
        encoded = self._any_thread.encode(record)
        if encoded is None:  # only an encoder with a guard answers so
            return ""
        return self.render(encoded[0], uid.encode("ascii"), resource).decode("utf-8")

    def _resource_of(self, record: logging.LogRecord) -> bytes:
        if isinstance(record, RebuiltRecord) and not self._described:
            # Behind the queue it is that of the queue handler, in the process that logged.
            return orjson.dumps(record.otel_stdlib_resource)
        return self.resource().json

    def _next_uid(self) -> str:
        pid = os.getpid()
        if self._uid is None or self._uid[0] != pid:
            self._uid = (pid, os.urandom(13).hex(), itertools.count(1).__next__)
        return f"{self._uid[1]}-{self._uid[2]():014x}"

    def render(self, payload: bytes, uid: bytes, resource: bytes) -> bytes:
        """The line of an encoded record in this formatter's shape, without a line end. Any thread."""
        if self.is_plain:
            return close_line(payload, uid, resource)
        if self._required_fields:
            text = self._as_json_logger(load_line(payload, uid, resource))
        else:
            # Of the shapes only OTLP has bytes.
            load = load_record if self._shape == "otlp" else load_line
            text = self._shaped(load(payload, uid, resource))
        return self.prefix.encode("utf-8", "backslashreplace") + text

    def _shaped(self, line: dict[str, Any]) -> bytes:
        timestamp = line["timestamp"]
        for array, name in (
            (self.exc_info_as_array, "exception.stacktrace"),
            (self.stack_info_as_array, "code.stacktrace"),
        ):
            if array and isinstance(line["attributes"].get(name), str):
                line["attributes"][name] = line["attributes"][name].splitlines()
        shaped: dict[str, Any] = SHAPES[self._shape](line)
        return dumps(arrange(self, shaped, timestamp))

    def _as_json_logger(self, line: dict[str, Any]) -> bytes:
        """The line that ``python-json-logger`` makes of the fields in ``fmt``."""
        number = line.get("severity_number", 0)
        level = logging.getLevelName(line.get("severity_text", ""))
        record = rebuild_record(
            line, level if isinstance(level, int) else number * 2, unix_nanos(line["timestamp"])
        )
        fields: dict[str, Any] = record.__dict__
        for name in ("trace_id", "span_id", "trace_flags", "correlation_id"):
            if not fields[name] and name not in self._required_fields:
                del fields[name]
        for name in self._required_fields:
            if name in line and name not in fields:
                fields[name] = line[name]
        if self.exc_info_as_array and fields["exc_text"]:
            fields["exc_text"] = fields["exc_text"].splitlines()
        text = super().format(record)
        return text[len(self.prefix) :].encode("utf-8")

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """As the base class asks: the JSON of what it put together."""
        return dumps(log_data).decode("utf-8")


def dumps(value: Any) -> bytes:
    """JSON of a shaped line; options of the user may have put any type into it."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
