"""A stand-in for an exception of which only the text is left, for code that reads ``record.exc_info``.

``traceback`` and ``Formatter.formatException`` print it as the stored text, character by character. Its
class has the name of the original and, where that is a built-in exception, is a subclass of it. Its
traceback has the original's files, lines and functions where the text can be printed from
them again; it is None where it cannot: the source has changed since, or frames were left out.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import re
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

__all__ = ["StandIn", "stand_in"]

_HEADER = "Traceback (most recent call last):\n"
_CAUSE = "\n\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\n\nDuring handling of the above exception, another exception occurred:\n\n"
_FRAME = re.compile(
    r'  File "(?P<file>[^\n]*)", line (?P<line>\d+), in (?P<name>[^\n]*)\n(?P<source>(?:    [^\n]*\n)*)'
)
_CARETS = re.compile(r"    ( *)([~^]+)\Z")
_NAME = re.compile(r"[^\W\d][\w.]*\Z")
#: Its parts are special to ``traceback``, which would print them from attributes that are not known.
_SPECIAL = (SyntaxError, getattr(builtins, "BaseExceptionGroup", SyntaxError))
_MOST_LINKS = 32
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class StandIn:
    """What is known of the original: a class of a stand-in has this one among its bases."""

    #: ``exception.*`` of the record.
    stored: Mapping[str, str]
    _text: str

    def __str__(self) -> str:
        return self._text


class _Part(NamedTuple):
    """One exception of a chain."""

    frames: str
    #: The last lines: type, message, notes.
    end: str


def stand_in(attributes: Mapping[str, Any]) -> ExcInfo | None:
    """``exc_info`` for a record with these attributes; None when they tell of no exception."""
    stored = {
        name: value
        for name in ("exception.type", "exception.message", "exception.stacktrace")
        if type(value := attributes.get(name)) is str
    }
    kind = stored.get("exception.type", "")
    message = stored.get("exception.message", "")
    text = stored.get("exception.stacktrace", "")
    if not kind and not text:
        return None
    if not text:
        made = _exception(kind, kind, message, message, stored)
        return type(made), made, None
    try:
        error = _chain(text, kind, message, stored)
        if error is not None and _printed(error) == text:
            return type(error), error, error.__traceback__
    except Exception:  # a text that only looks like a traceback
        pass
    return _whole(text, kind, message, stored)


def _whole(text: str, kind: str, message: str, stored: Mapping[str, str]) -> ExcInfo:
    """One that prints as ``text`` because its qualified name is the text up to the message."""
    head, end = text, ""
    if message and text.endswith(f": {message}"):
        head, end = text[: -len(message) - 2], message
    elif ": " in text:
        head, _, end = text.rpartition(": ")
    error = _exception(kind or "Exception", head, end, end or message, stored)
    return type(error), error, None


def _printed(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join(lines).rstrip("\n")


def _chain(text: str, kind: str, message: str, stored: Mapping[str, str]) -> BaseException | None:
    """The exceptions of ``text``, linked; the last one is the record's."""
    error: BaseException | None = None
    link = ""
    rest = text
    for _ in range(_MOST_LINKS):
        cut, found = _first_link(rest)
        last = not found
        part = _split(rest if last else rest[:cut])
        if part is None:
            return None
        previous, error = (
            error,
            _single(part, kind if last else "", message if last else "", stored if last else {}),
        )
        if error is None:
            return None
        if link == _CAUSE:
            error.__cause__ = previous
        elif link == _CONTEXT:
            error.__context__ = previous
        if last:
            return error
        rest, link = rest[cut + len(found) :], found
    return None


def _first_link(text: str) -> tuple[int, str]:
    """Where the first exception of a chain ends, and how it is linked to the next; the end and "" for the last."""
    places = [(place, link) for link in (_CAUSE, _CONTEXT) if (place := text.find(link)) >= 0]
    return min(places, default=(len(text), ""))


def _split(text: str) -> _Part | None:
    if not text.startswith(_HEADER):
        return None if text.startswith(" ") else _Part("", text)
    place = len(_HEADER)
    while (found := _FRAME.match(text, place)) is not None:
        place = found.end()
    return _Part(text[len(_HEADER) : place], text[place:])


def _single(part: _Part, kind: str, message: str, stored: Mapping[str, str]) -> BaseException | None:
    name, separator, said = part.end.partition(": ")
    if not _NAME.match(name):
        name, separator, said = part.end.partition("\n")  # no message, but notes
        if not _NAME.match(name):
            return None
    notes = None
    if separator == "\n":
        notes, said = said, ""
    elif message and said != message and said.startswith(message + "\n"):
        notes, said = said[len(message) + 1 :], message
    error = _exception(kind or name, name, said, said, stored)
    if notes is not None:
        error.__notes__ = [notes]  # type: ignore[attr-defined,unused-ignore]
    return error.with_traceback(_frames(part.frames))


def _exception(kind: str, printed: str, said: str, message: str, stored: Mapping[str, str]) -> BaseException:
    """An object that ``traceback`` prints as ``printed: said``.

    ``kind`` is the type's full name.
    """
    short = kind.rpartition(".")[2]
    if _NAME.match(printed) and "." in printed:
        module, _, qualified = printed.rpartition(".")
    else:
        module, qualified = ("__main__" if kind.startswith("__main__.") else "builtins"), printed
    known = getattr(builtins, short, None) if kind in (short, f"builtins.{short}") else None
    if not (isinstance(known, type) and issubclass(known, BaseException)) or issubclass(known, _SPECIAL):
        known = Exception
    fields = {"__module__": module, "__qualname__": qualified}
    error: Any = _new(type(short or "Exception", (StandIn, known), fields), known)
    error.args = (message,)
    error._text = said
    error.stored = stored
    return error  # type: ignore[no-any-return]


def _new(kind: type[Any], known: type[BaseException]) -> Any:
    # Not called: some built-in exceptions want arguments of certain types.
    return known.__new__(kind)


def _frames(text: str) -> TracebackType | None:
    found: TracebackType | None = None
    for match in reversed(list(_FRAME.finditer(text))):
        line = int(match["line"])
        code, instruction = _code(match["file"], line, match["name"], _columns(match))
        found = TracebackType(found, _frame(code), instruction, line)
    return found


def _columns(match: re.Match[str]) -> tuple[int, int] | None:
    """From the carets under a source line to its columns in bytes."""
    lines = match["source"].splitlines()
    carets = _CARETS.match(lines[1]) if len(lines) == 2 else None
    if carets is None or sys.version_info < (3, 11):
        return None
    source = linecache.getline(match["file"], int(match["line"])).rstrip("\n")
    start = len(source) - len(source.lstrip()) + len(carets[1])
    end = start + len(carets[2])
    return len(source[:start].encode()), len(source[:end].encode())


@lru_cache(maxsize=512)
def _code(file: str, line: int, name: str, columns: tuple[int, int] | None) -> tuple[CodeType, int]:
    """Code of that place that gives its frame, and the instruction with those columns."""
    start, end = columns or (0, 1)
    place = {"lineno": line, "end_lineno": line, "col_offset": start, "end_col_offset": end}
    call = ast.Call(ast.Name("frame", ast.Load(), **place), [], [], **place)
    tree = ast.Module([ast.Expr(call, **place)], [])
    code: CodeType = compile(tree, file, "exec")
    code = code.replace(co_name=name)
    if sys.version_info < (3, 11):
        return code, 0
    if columns is None:
        return code.replace(co_linetable=_no_locations(len(code.co_code) // 2)), 0
    return code, 2 * list(code.co_positions()).index((line, line, start, end))


def _no_locations(units: int) -> bytes:
    """A location table for so many code units that gives no line and no columns: the traceback's own line counts.

    CPython's InternalDocs/code_objects.md: kind 15, for up to eight units each.
    """
    return bytes(0x80 | 15 << 3 | min(8, units - done) - 1 for done in range(0, units, 8))


def _frame(code: CodeType) -> FrameType:
    found: list[FrameType] = []
    exec(code, {"__builtins__": {"frame": lambda: found.append(sys._getframe(1))}}, {})
    return found[0]
