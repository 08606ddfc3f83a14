"""Encoding without secrets: a quick look before a record is encoded, a careful one at its line where that is needed.

A record in which nothing can be secret is encoded as ever, in C where there is a compiler. Any other is encoded,
read, redacted and written again: what is stored is what was looked at. The record itself is never changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib._native import core
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.record.lift import BASE_KEYS
from otel_stdlib.record.redacted_line import LineRedactor, refused_line
from otel_stdlib.record.template import template_of
from otel_stdlib.redaction.engine import Tally
from otel_stdlib.redaction.gate import CAREFUL, IN_ARGUMENTS, IN_TOKENS
from otel_stdlib.redaction.masks import FAILED
from otel_stdlib.redaction.options import Redaction

__all__ = ["RedactingEncoder"]

_Encoded = tuple[bytes, int, int]
_Look = Callable[[logging.LogRecord], Any]
_Encode = Callable[[logging.LogRecord], "_Encoded | None"]

_BASE_COUNT = len(BASE_KEYS)
_LAST_BASE = _BASE_COUNT - 1
_LAST_KEY = BASE_KEYS[-1]
_record_type = logging.LogRecord
#: Integers nearer to 0 have fewer digits than a card's number.
_SHORT = 10**11
_NUMBERS = frozenset({int, float, bool, type(None)})


class RedactingEncoder:
    """An encoder, and the redaction of what it encodes.

    Args:
        redaction: what is masked.
        encode: the encoder of ordinary and all other records.
        counters: counts by rule are added to it.
        constant: attributes of every record. With a secret in them every line is redacted.
        wants_base: whether a record's own attributes are in its line.
    """

    def __init__(
        self,
        redaction: Redaction,
        encode: _Encode,
        counters: Counters,
        constant: Mapping[str, Any] | None = None,
        *,
        wants_base: bool = False,
    ) -> None:
        self._redactor = redaction.redactor
        self._gate = redaction.gate
        self._lines = LineRedactor(redaction)
        self._encode = encode
        self._counters = counters
        tally: Tally = {}
        for key, value in (constant or {}).items():
            self._redactor.member(key, value, tally)
        self._always = wants_base or bool(tally)
        #: As ``LineEncoder.encode``, without secrets.
        self.encode: _Encode = self._encode_carefully
        self._is_clean: Callable[[logging.LogRecord], Any] = _no
        if not self._always:
            self.encode = _fastest(redaction, encode, _quick(redaction, encode, self._encode_carefully))
            self._is_clean = _quick(redaction, _yes, _no)

    def warn_of(self, resource: Mapping[str, Any]) -> None:
        """Print a line when the resource holds what looks like a secret: it is written as it is."""
        for key, value in resource.items():
            found: Tally = {}
            self._redactor.member(key, value, found)
            if found:
                say(
                    f"redaction:resource:{key}",
                    f"resource attribute {key!r} looks like a secret ({', '.join(found)}): the resource is not "
                    "redacted; leave it out with 'resource: {exclude: [...]}'",
                )

    def _encode_carefully(self, record: logging.LogRecord) -> _Encoded | None:
        found = self._encode(record)
        if found is None:
            return None
        payload, severity, time_ns = found
        tally: Tally = {}
        try:
            body, args = self._masked_body(record, tally)
            payload = self._lines.open_line(payload, tally, body, args)
            for rule, count in tally.items():
                self._counters.add(rule, count)
        except Exception:  # the stack is full
            payload = refused_line(payload)
        return payload, severity, time_ns

    def _masked_body(self, record: logging.LogRecord, tally: Tally) -> tuple[str | None, bool]:
        """The message where its template says that arguments are secret; and whether it does."""
        message, args = record.msg, record.args
        if type(message) is not str or not args:
            return None, False
        template = self._gate.templates.get(message) or self._gate.template(message)
        if not template.masked:
            return None, False
        if "getMessage" in record.__dict__ or type(record).getMessage is not logging.LogRecord.getMessage:
            return FAILED, True  # a message of another's making, which may hold the arguments anywhere
        try:
            return self._gate.mask_arguments(template, args, tally), True
        except Exception:
            return None, True  # the body is then the template

    def template(self, record: logging.LogRecord) -> bytes:
        """As ``template_of``; b"" where the template or its arguments hold something secret."""
        found = template_of(record)
        if not found:
            return b""
        try:
            if self._is_clean(record):
                return found
            tally: Tally = {}
            message, args = record.msg, record.args
            self._redactor.text(record.getMessage(), tally)
            self._redactor.value([message, args], tally)
            if tally or (self._gate.templates.get(message) or self._gate.template(message)).masked:
                return b""
        except Exception:
            return b""
        return found


# One function, as each call made from it would cost every log call about one per cent.
def _quick(redaction: Redaction, plain: _Look, careful: _Look) -> _Look:
    """A function that asks ``plain`` about ordinary records in which nothing can be secret, else ``careful``."""
    gate = redaction.gate
    templates, literals, keys = gate.templates, gate.literals, gate.keys
    search, most = gate.search, redaction.redactor.max_scan
    numbers = _NUMBERS - {int} if redaction.redactor.numbers else _NUMBERS

    def quick(record: logging.LogRecord) -> Any:  # noqa: PLR0912
        try:
            fields = record.__dict__
            message = fields["msg"]
            if type(message) is not str or type(record) is not _record_type:
                return careful(record)
            if fields["exc_info"] or fields["exc_text"] or fields["stack_info"]:
                return careful(record)
            texts: list[str] = []
            args = fields["args"]
            if args:
                template = templates.get(message) or gate.template(message)
                look, values = template.look, args
                if look == CAREFUL:
                    return careful(record)
                if type(args) is not tuple:
                    if not template.named or not all(map(gate.is_clean_key, args)):
                        return careful(record)
                    values = args.values()
                for value in values:
                    kind = type(value)
                    if kind is str:
                        texts.append(value)
                    elif kind not in numbers and (kind is not int or not -_SHORT < value < _SHORT):
                        return careful(record)
                if look != IN_ARGUMENTS:
                    text = message % args
                    if look != IN_TOKENS:
                        texts.append(text)
                    elif gate.confirms_tokens(text):
                        return careful(record)
            elif not (literals.get(message) or gate.is_clean_literal(message)):
                return careful(record)
            if len(fields) > _BASE_COUNT:
                names = [*fields]
                if names[_LAST_BASE] != _LAST_KEY:
                    return careful(record)
                for name in names[_BASE_COUNT:]:
                    if not (keys.get(name) or gate.is_clean_key(name)):
                        return careful(record)
                    value = fields[name]
                    kind = type(value)
                    if kind is str:
                        texts.append(value)
                    elif kind not in numbers and (kind is not int or not -_SHORT < value < _SHORT):
                        return careful(record)
            if texts:
                joined = "\0".join(texts)
                if len(joined) > most or (search(joined) and gate.confirms(texts)):
                    return careful(record)
            return plain(record)
        except Exception:  # hard to tell
            return careful(record)

    return quick


def _fastest(redaction: Redaction, plain: _Look, quick: _Look) -> _Look:
    """``quick``, or what does the same for most clean records in C and asks it about all others."""
    gate = redaction.gate
    if not hasattr(core, "Gate") or gate.needles is None:
        return quick
    compiled: _Look = core.Gate(
        plain,
        quick,
        gate.plain_templates,
        gate.literals,
        gate.keys,
        _record_type,
        BASE_KEYS,
        gate.needles,
        redaction.redactor.max_scan,
        _SHORT if redaction.redactor.numbers else 0,
    ).encode
    return compiled


def _yes(_: logging.LogRecord) -> bool:
    return True


def _no(_: logging.LogRecord) -> bool:
    return False
