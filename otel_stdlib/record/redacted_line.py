"""An encoded record, or one that was read from a file, without the secrets in it."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from otel_stdlib.record.agents import AGENT_KEYS
from otel_stdlib.record.general import FORMAT_ARGS
from otel_stdlib.record.line import BYTES_MARK, load_object
from otel_stdlib.redaction.engine import CUT, Tally
from otel_stdlib.redaction.options import Redaction

__all__ = ["REDACTED", "LineRedactor", "refused_line", "write_object"]

#: How many values of a record were masked, or by which rules.
REDACTED = "otel_stdlib.redacted"
_STACKS = ("exception.stacktrace", "code.stacktrace")
#: Never touched, with ``code.*`` and ``thread.*``.
_FIXED = frozenset(
    {
        "log.record.uid",
        "otel_stdlib.log.record.uid",
        "correlation_id",
        "asyncio.task.name",
        "process.pid",
        "multiprocessing.process.name",
        "exception.type",
        "otel_stdlib.truncated_values",
        REDACTED,
    }
)
#: Not touched where they hold an id.
_IDS = frozenset(
    {"trace_id", "span_id", "trace_flags", "otelTraceID", "otelSpanID", "otelTraceSampled", *AGENT_KEYS}
)
_ID = re.compile(r"(?:[0-9a-fA-F]{1,32}|[0-9]{1,20}|True|False)\Z")
_BODY = b'"body":'


class LineRedactor:
    """Redacts encoded records. Any thread; never raises."""

    def __init__(self, redaction: Redaction) -> None:
        self._redactor = redaction.redactor
        self._summary = redaction.summary

    def open_line(self, payload: bytes, tally: Tally, body: str | None = None, args: bool = False) -> bytes:
        """An open line without its secrets; ``payload`` itself where it has none.

        Args:
            payload: the open line.
            tally: is added to.
            body: a body to put in the place of its own.
            args: whether arguments that could not be formatted are masked completely.
        """
        try:
            line = load_object((payload[:-1] if payload.endswith(b",") else payload) + b"}}")
            if args and FORMAT_ARGS in line["attributes"]:
                line["attributes"][FORMAT_ARGS] = self._redactor.masks.of("key_value", "")
                tally["key_value"] = tally.get("key_value", 0) + 1
            elif body is not None:
                line["body"] = body
            self.record(line, tally)
            if not tally and body is None:
                return payload
            if tally:
                self._add_summary(line["attributes"], tally)
            made = write_object(line)
            return made[:-2] + (b"," if line["attributes"] else b"")
        except Exception:
            tally["failed"] = tally.get("failed", 0) + 1
            return refused_line(payload)

    def record(self, line: dict[str, Any], tally: Tally) -> None:
        """Redact a record that was read: its body, the event's name and attributes, in place."""
        redactor = self._redactor
        line["body"] = redactor.value(line.get("body"), tally)
        if "event_name" in line:
            line["event_name"] = redactor.value(line["event_name"], tally)
        made: dict[str, Any] = {}
        for key, value in line["attributes"].items():
            if _is_fixed(key, value):
                made[key] = value
            elif key in _STACKS and type(value) is str:
                made[key] = self._stack(value, tally)
            else:
                name = unique = redactor.text(key, tally)
                number = 2
                while unique in made:
                    unique, number = f"{name}#{number}", number + 1
                made[unique] = redactor.member(key, value, tally)
        line["attributes"] = made

    def _stack(self, text: str, tally: Tally) -> str:
        """A stacktrace: scanned completely, as it has a limit of its own."""
        head, cut, tail = text.partition(f"\n{CUT}\n")
        if cut:
            # The lines that the cut goes through are not recognised by their halves.
            head, tail = head.rpartition("\n")[0], tail.partition("\n")[2]
            text = f"{head}{cut}{tail}"
        return self._redactor.text(text, tally, bounded=False)

    def _add_summary(self, attributes: dict[str, Any], tally: Tally) -> None:
        if self._summary == "counts":
            attributes[REDACTED] = sum(tally.values())
        elif self._summary == "rules":
            attributes[REDACTED] = sorted(tally)


def _is_fixed(key: str, value: Any) -> bool:
    if key in _FIXED or (key.startswith(("code.", "thread.")) and key != "code.stacktrace"):
        return True
    return key in _IDS and (type(value) is not str or _ID.match(value) is not None)


def write_object(line: dict[str, Any]) -> bytes:
    """JSON of a record that was read."""
    return orjson.dumps(line, default=_as_fragment)


def _as_fragment(value: Any) -> orjson.Fragment:
    """Bytes as the encoder writes them."""
    return orjson.Fragment(b'%b"%b"' % (BYTES_MARK, base64.b64encode(value)))


def refused_line(payload: bytes) -> bytes:
    """What is left of a line that cannot be redacted: when it was logged and how severe it is."""
    return (
        payload[: payload.index(_BODY)]
        + b'"body":"[REDACTION FAILED]","scope":{"name":"otel_stdlib"},"attributes":{'
    )
