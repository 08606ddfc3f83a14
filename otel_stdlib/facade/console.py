"""One readable line a record on stderr, for ``enable_console``."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from otel_stdlib.record.lift import BASE_KEYS, OWN_ATTRIBUTES

__all__ = ["ConsoleFormatter", "ConsoleHandler"]

_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
#: What a rebuilt record has beside its attributes, or what the line shows elsewhere.
_SHOWN = frozenset(BASE_KEYS) | {
    "message",
    "asctime",
    "trace_id",
    "span_id",
    "trace_flags",
    "uid",
    "log.record.uid",
}
#: Where the record comes from is for machines; an exception stands below the line.
_HIDDEN = ("code.", "thread.", "process.", "exception.", "asyncio.")
_MAX_VALUE = 200


class ConsoleFormatter(logging.Formatter):
    """``12:00:01.250 INFO    shop.orders  order placed  [0af76519] total=3 correlation_id=req-1``.

    Args:
        colours: whether the level's name and the rest of the line are coloured.
    """

    def __init__(self, *, colours: bool = False) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it the exception and the stack where there are some."""
        seconds = time.localtime(record.created)
        clock = f"{seconds.tm_hour:02}:{seconds.tm_min:02}:{seconds.tm_sec:02}.{int(record.msecs):03}"
        fields = record.__dict__
        level = self._paint(f"{record.levelname:<8}", _COLOURS.get(record.levelname, "0"))
        parts = [clock, level, self._paint(record.name, "36"), _one_line(record.getMessage())]
        trace = fields.get("trace_id")
        if trace:
            parts.append(self._paint(f"[{str(trace)[:8]}]", "2"))
        shown = {key: value for key, value in fields.items() if key not in _SHOWN and _is_shown(key, value)}
        own = shown.pop(OWN_ATTRIBUTES, None)
        if isinstance(own, dict):
            shown.update(own)
        parts += [f"{self._paint(f'{key}=', '2')}{_value(value)}" for key, value in shown.items()]
        line = " ".join(parts)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        more = [text for text in (record.exc_text, record.stack_info) if text]
        return "\n".join([line, *more])

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


def _is_shown(key: str, value: Any) -> bool:
    return value is not None and value != "" and not key.startswith(_HIDDEN)


def _one_line(text: str) -> str:
    """``text`` with what could move the cursor or begin another line made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _value(value: Any) -> str:
    try:
        text = str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    text = text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
    return repr(text) if not text.isprintable() or " " in text or not text else text


class ConsoleHandler(logging.Handler):
    """Writes to whatever ``sys.stderr`` is at the moment. Used behind the queue, on a delivery thread.

    Coloured on a terminal, unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``.
    """

    #: It writes the message, and needs nothing else kept in the log call.
    reads_template = False

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._plain = ConsoleFormatter()
        self._coloured = ConsoleFormatter(colours=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A stderr that is gone takes nothing, and nobody can be told."""
        stream = sys.stderr
        if stream is None:
            return
        try:
            formatter = self.formatter or (self._coloured if wants_colours(stream) else self._plain)
            stream.write(formatter.format(record) + "\n")
            stream.flush()
        except UnicodeEncodeError:
            self._write_ascii(stream, record)
        except (OSError, ValueError):
            return

    def _write_ascii(self, stream: Any, record: logging.LogRecord) -> None:
        try:
            stream.write(
                self._plain.format(record).encode("ascii", "backslashreplace").decode("ascii") + "\n"
            )
            stream.flush()
        except (OSError, ValueError):
            return


def wants_colours(stream: Any) -> bool:
    """Whether ``stream`` is a terminal that may be coloured (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
