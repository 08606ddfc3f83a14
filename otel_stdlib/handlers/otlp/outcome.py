"""What an OTLP server's answers mean for the records of a request. Pure.

    2xx                  taken, but for what ``partial_success`` says
    429, 502, 503, 504   try again, after ``Retry-After`` where there is one
    413                  to be split; so is the Collector's 400 for a request that is too large
    3xx, 401, 403, 404,  try again: the token, the path, a proxy or a network's front door, and not the records
    405, 407, 408, 511
    400                  refused as it is: the batch is halved until the record at fault is found
    anything else        refused for good, in OTLP's own form (protobuf or JSON); try again otherwise

OTLP/HTTP: the second line is the whole list of what an OTLP server lets a client try again; a partial success
must not be. Its answers are protobuf or JSON: a page or a line of text comes from something in between, which
knows nothing of the records. Servers that answer 400 in plain text for a bad record are in use, so that counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from otel_stdlib.facts.errors import RetryableError, ThrottledError
from otel_stdlib.facts.secrets import mask_secrets

__all__ = ["Partial", "explain", "is_of_the_target", "is_too_large", "read_partial", "refused", "retry_after"]

_REASON_LENGTH = 1_000
#: RFC 9110 and 6585: what a token, a path, a proxy, a slow network or one with a login page brings about.
_OF_THE_TARGET = (401, 403, 404, 405, 407, 408, 511)
_STATUS_NAMES = {"code", "message", "details"}
#: How the Collector, as every server that is made with Go's ``http.MaxBytesReader``, says 413 with a status 400.
_GO_TOO_LARGE = "http: request body too large"


class Partial(NamedTuple):
    """The ``partial_success`` of an answer."""

    rejected: int = 0
    message: str = ""
    #: Whether the body was an answer of OTLP's.
    readable: bool = True


def read_partial(content_type: str, body: bytes) -> Partial:
    """Read the body of an answer 2xx.

    An empty body says that all is well. One that cannot be read does not make the records
    unsent: the status says that they were taken.

    Raises:
        RetryableError: a web page answered, not an OTLP server.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return Partial()
    if kind == "text/html":
        raise RetryableError("a web page answered instead of an OTLP server: check 'endpoint'")
    try:
        if kind == "application/x-protobuf":
            return _partial_of_protobuf(body)
        found = orjson.loads(body)
        part = found.get("partialSuccess") or {}
        return Partial(int(part.get("rejectedLogRecords") or 0), _line(part.get("errorMessage") or ""))
    except (ValueError, TypeError, AttributeError):
        return Partial(readable=False)


def _partial_of_protobuf(body: bytes) -> Partial:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    try:
        part = ExportLogsServiceResponse.FromString(body).partial_success
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return Partial(part.rejected_log_records, _line(part.error_message))


def explain(content_type: str, body: bytes) -> str:
    """The reason in the body of an error, on one line: a ``google.rpc.Status``, or text."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-protobuf":
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess

        try:
            # It has a Status's first two fields, a number and a text, at the same places.
            return _line(ExportLogsPartialSuccess.FromString(body).error_message)
        except DecodeError:
            return ""
    if kind == "application/json":
        try:
            found: Any = orjson.loads(body)
        except ValueError:
            found = None
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            return _line(found["message"])
    return _line(body.decode("utf-8", "replace"))


def _line(text: object) -> str:
    return mask_secrets(" ".join(str(text).split()))[:_REASON_LENGTH]


def is_of_the_target(status: int, content_type: str, body: bytes) -> bool:
    """Whether a refusal says something of the target or the way to it, and nothing of the records."""
    kind = content_type.partition(";")[0].strip().lower()
    if status in _OF_THE_TARGET or 300 <= status < 400:
        return True
    if kind == "application/x-protobuf":
        return False
    if kind == "application/json":
        return status != 400 and not _is_status(body)
    return status != 400 or kind == "text/html"


def _is_status(body: bytes) -> bool:
    """Whether JSON may be a ``google.rpc.Status``; a gateway's error has other names."""
    try:
        found = orjson.loads(body)
    except ValueError:
        return not body
    return isinstance(found, dict) and found.keys() <= _STATUS_NAMES


def is_too_large(status: int, reason: str) -> bool:
    """Whether a smaller request may be taken.

    A 400 that is not known here to be about size is found out by halving too, only with more requests.
    """
    return status == 413 or (status == 400 and _GO_TOO_LARGE in reason)


def refused(headers: Mapping[str, str], text: str, now: float) -> RetryableError:
    """The error for an answer that asks for another try. ``now``: seconds since 1970."""
    pause = retry_after(headers.get("retry-after", ""), now)
    return RetryableError(text) if pause is None else ThrottledError(text, pause)


def retry_after(value: str, now: float) -> float | None:
    """The pause that a server asks for, in seconds: a number of them, or a date (RFC 9110, 10.2.3)."""
    value = value.strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, date.timestamp() - now)
    return seconds if 0 <= seconds < 1e9 else None
