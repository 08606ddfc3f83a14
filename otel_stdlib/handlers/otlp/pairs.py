"""The caller's attributes of an ordinary line: what repeats from record to record is made once and remembered."""

from __future__ import annotations

from typing import Any

import orjson

from otel_stdlib.facts.memo import keep
from otel_stdlib.handlers.otlp.forms import Form
from otel_stdlib.record.line import may_hold_bytes

__all__ = ["NotOrdinary", "Pair", "PairWriter"]

#: Longer texts and numbers are hardly ever the same.
_LONG, _LONG_NUMBER = 64, 4
_LEAST_INT, _MOST_INT = -(1 << 63), 1 << 63
#: Before the keys that a place, or the package itself, may have too: of two only the later one may be sent.
_TAKEN = (b"code.", b"thread.", b"log.")
_QUOTE, _ZERO = b'"', b"0"[0]
#: Fewer are sure to be 64 bits.
_DIGITS = 19
_loads = orjson.loads
#: An attribute: its key as the line has it, and what is sent.
Pair = tuple[bytes, bytes]


class NotOrdinary(ValueError):
    """A line that must be parsed."""


class PairWriter:
    """Writes attributes in a form. Threads may share it.

    What they know of each other is what is remembered, and that may be made twice.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        #: By the members of lines, each without its first quote.
        self.known: dict[bytes, Pair] = {}
        #: Keys that had whole numbers.
        self._counting: dict[bytes, None] = {}

    def new(self, member: bytes) -> Pair:
        """One attribute, of a member of a line without its first quote.

        Members that are all taken here are those of the line, wherever it was cut into them: with the
        cuts' commas and quotes back in their places they are one JSON object, which can be read in one way.

        Raises:
            ValueError: it is no member, or must be read together with others.
        """
        key, _, value = member.partition(b'":')
        # Most of what is no member of a line before is a number that counts something.
        if key in self._counting and value.isdigit() and value[0] != _ZERO and len(value) < _DIGITS:
            made = key, self._form.number(key, int(value))
            return keep(self.known, member, made) if len(value) <= _LONG_NUMBER else made
        found = _loads(value)
        if b"\\" in key or key.startswith(_TAKEN):
            raise NotOrdinary
        kind = type(found)
        if kind is str:
            if not value.startswith(_QUOTE):
                raise NotOrdinary  # bytes, which have a space before them
            if b"\\" in value:
                return key, self._form.attribute(key.decode(), found)
            made = key, self._form.text(key, value[1:-1])
            return keep(self.known, member, made) if len(value) <= _LONG else made
        if kind is int and _LEAST_INT <= found < _MOST_INT:
            made = key, self._form.number(key, found)
            keep(self._counting, key, None)
            return keep(self.known, member, made) if len(value) <= _LONG_NUMBER else made
        if may_hold_bytes(value):
            raise NotOrdinary
        made = key, self._form.attribute(key.decode(), found)
        return keep(self.known, member, made) if len(value) <= _LONG else made

    def parsed(self, members: bytes) -> list[bytes]:
        """All attributes of a line, of its members with commas between them.

        Raises:
            ValueError: they are none, or must be read together with the rest of the line.
        """
        found: dict[str, Any] = _loads(b"{%b}" % members)
        if may_hold_bytes(members) or any(key.encode().startswith(_TAKEN) for key in found):
            raise NotOrdinary
        return [self._form.attribute(key, value) for key, value in found.items()]
