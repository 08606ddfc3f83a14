"""Exceptions as attributes: type, message, stacktrace; chains and groups; always bounded.

Semantic conventions: ``exception.type`` is the fully qualified name, ``exception.message`` is
``str(exc)``. Local variables are never captured.
"""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from types import TracebackType
from typing import Any

from otel_stdlib.record.limits import Limits
from otel_stdlib.record.standin import StandIn
from otel_stdlib.record.values import ELLIPSIS, safe_text, type_name

__all__ = ["bounded_stacktrace", "exception_attributes", "exception_of"]

_LAST_LINE = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?\Z")


def exception_of(exc_info: Any) -> BaseException | None:
    """The exception that a record's ``exc_info`` stands for: a tuple, an exception, or True."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        value = exc_info[1] if len(exc_info) > 1 else None
        return value if isinstance(value, BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def exception_attributes(exc_info: Any, exc_text: Any, limits: Limits) -> dict[str, str]:
    """``exception.*`` of a record; empty when it has none. The lengths of texts are the caller's to cut."""
    error = exception_of(exc_info)
    if error is None:
        return _from_text(exc_text) if isinstance(exc_text, str) and exc_text else {}
    if isinstance(error, StandIn) and error.stored:
        return dict(error.stored)
    attributes = {"exception.type": type_name(type(error)), "exception.message": safe_text(error)}
    trace = exc_info[2] if isinstance(exc_info, tuple) and len(exc_info) > 2 else error.__traceback__
    text = _stacktrace(error, trace if isinstance(trace, TracebackType) else None, limits)
    if text:
        attributes["exception.stacktrace"] = text
    return attributes


def bounded_stacktrace(text: str, limit: int) -> str:
    """Both ends of a long trace: the error stands at the end, its entry at the start."""
    if len(text) <= limit:
        return text
    head = limit // 4
    tail = limit - head - 3
    if tail < 1:
        return text[: limit - 1] + ELLIPSIS
    return f"{text[:head]}\n{ELLIPSIS}\n{text[-tail:]}"


def _from_text(text: str) -> dict[str, str]:
    """What a formatted traceback still tells, for records that another queue flattened."""
    attributes = {}
    last = text.rstrip().rpartition("\n")[2]
    found = _LAST_LINE.match(last) if "Traceback (most recent call last)" in text else None
    if found:
        attributes["exception.type"] = found.group(1)
        if found.group(2):
            attributes["exception.message"] = found.group(2)
    attributes["exception.stacktrace"] = text
    return attributes


def _stacktrace(error: BaseException, trace: TracebackType | None, limits: Limits) -> str:
    if _count(error, limits.exceptions) <= limits.exceptions:
        try:
            return _printed(error, trace, limits)
        except (
            Warning
        ):  # warnings are errors here, and 3.15's ``linecache`` warns of modules without a loader
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return _printed(error, trace, limits)
            except Exception:
                pass
        except Exception:  # a hostile exception, or recursion inside the formatter
            pass
    return _plain(error, trace, limits)


def _printed(error: BaseException, trace: TracebackType | None, limits: Limits) -> str:
    whole = traceback.TracebackException(
        type(error), error, trace, limit=-limits.stacktrace_frames, compact=True
    )
    return _hidden(trace, limits.stacktrace_frames) + "".join(whole.format()).rstrip("\n")


def _hidden(trace: TracebackType | None, most: int) -> str:
    """A note of how many outer frames are left out."""
    frames = 0
    while trace is not None:
        frames += 1
        trace = trace.tb_next
    return f"{ELLIPSIS} {frames - most} outer frames, not shown\n" if frames > most else ""


def _count(error: BaseException, most: int) -> int:
    """How many exceptions hang together by cause, context and group; stops past ``most``."""
    seen = {id(error)}
    pending = [error]
    while pending and len(seen) <= most:
        for other in _linked(pending.pop(), most):
            if id(other) not in seen:
                seen.add(id(other))
                pending.append(other)
    return len(seen)


def _linked(error: BaseException, most: int) -> list[BaseException]:
    links: list[Any] = [error.__cause__, error.__context__]
    members = getattr(error, "exceptions", None)
    if isinstance(members, (tuple, list)):
        links.extend(members[: most + 1])
    return [link for link in links if isinstance(link, BaseException)]


def _plain(error: BaseException, trace: TracebackType | None, limits: Limits) -> str:
    """The first exceptions of a very long chain or wide group, each with its innermost frames."""
    parts: list[str] = []
    pending: list[tuple[BaseException, TracebackType | None]] = [(error, trace)]
    seen = {id(error)}
    while pending and len(parts) < limits.exceptions:
        current, frames = pending.pop(0)
        parts.append(_one(current, frames, limits))
        for other in _linked(current, limits.exceptions):
            if id(other) not in seen:
                seen.add(id(other))
                pending.append((other, other.__traceback__))
    if pending:
        parts.append(f"{ELLIPSIS} more exceptions, not shown")
    return "\n\nRelated exception:\n\n".join(parts)


def _one(error: BaseException, trace: TracebackType | None, limits: Limits) -> str:
    lines: list[str] = []
    try:
        if trace is not None:
            frames = traceback.StackSummary.extract(
                traceback.walk_tb(trace), limit=-min(limits.stacktrace_frames, 32), lookup_lines=False
            )
            lines = ["Traceback (most recent call last):\n", *frames.format()]
    except Exception:
        lines = ["Traceback not available\n"]
    message = safe_text(error)[: limits.stacktrace_length]
    name = type_name(type(error))
    return "".join(lines) + (f"{name}: {message}" if message else name)
