"""The redactor: a text, or a value of any depth, without the secrets in it. Any thread; never raises."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from otel_stdlib.redaction.masks import FAILED, Masks
from otel_stdlib.redaction.pairs import PairRules
from otel_stdlib.redaction.rules import Rule
from otel_stdlib.redaction.words import KeyRules

__all__ = ["CUT", "Redactor", "Tally"]

#: How often each rule has masked something.
Tally = dict[str, int]
#: Where a text was cut.
CUT = "…"
#: Before the base64 text of bytes, when a line is read for redaction.
_NESTED = 64
#: At a cut, a token is dropped up to this length.
_TOKEN = 512
_ROUNDS = 8
_KEY, _OVERSIZE, _FAILED, _DEPTH = "key", "oversize", "failed", "depth"


class Redactor:
    """Masks by keys, by values and in URLs, in this order: URLs, value rules, pairs of key and value.

    Args:
        keys: which keys name a secret.
        rules: value rules in the order in which they are applied.
        masks: what is in a secret's place.
        pairs: whether ``key=value`` in texts is looked at.
        urls: whether URLs are.
        max_scan: the longest text that is looked at, in characters.
        ends: whether a longer one keeps its ends; else it is masked completely.
    """

    def __init__(
        self,
        keys: KeyRules,
        rules: Sequence[Rule],
        masks: Masks,
        *,
        pairs: bool = True,
        urls: bool = True,
        max_scan: int = 16_384,
        ends: bool = False,
    ) -> None:
        self.keys = keys
        self.rules = tuple(rules)
        self.masks = masks
        self.max_scan = max_scan
        self._ends = ends
        self._pairs = PairRules(keys, masks)
        self.wants_pairs = pairs
        self.wants_urls = urls
        self.numbers = any(rule.name == "card" for rule in rules)

    def is_secret_key(self, key: str, path: str = "") -> bool:
        """Whether the value of a key is masked."""
        return self.keys.is_secret(key, path)

    # -- texts ---------------------------------------------------------------------------

    def finds(self, text: str) -> bool:
        """Whether ``text`` would change; NULs in it are boundaries. A failing rule counts as found."""
        try:
            if self.wants_urls and self._pairs.url(text, None) != text:
                return True
            if any(rule.finds(text) for rule in self.rules):
                return True
            if self.wants_pairs and self._pairs.key_value(text, None) != text:
                return True
            return text.endswith(CUT) and self._half(text) < len(text)
        except Exception:
            return True

    def text(self, text: str, tally: Tally, *, bounded: bool = True) -> str:
        """``text`` with what is secret in it masked.

        Without ``bounded``, of any length: for texts whose length is limited elsewhere.
        """
        try:
            if bounded and len(text) > self.max_scan:
                return self._long(text, tally)
            return self._scan(text, tally)
        except Exception:
            _count(tally, _FAILED)
            return FAILED

    def _scan(self, text: str, tally: Tally) -> str:
        # A mask is a boundary that was not there: what touches a secret may be recognised only now.
        for _ in range(_ROUNDS):
            former, text = text, self._scan_once(text, tally)
            if text == former:
                break
        return text

    def _scan_once(self, text: str, tally: Tally) -> str:
        def told(rule: str, secret: str) -> str:
            _count(tally, rule)
            return self.masks.of(rule, secret)

        if self.wants_urls:
            text = self._pairs.url(text, lambda rule: _count(tally, rule))
        for rule in self.rules:
            if rule.may_match(text):
                text = self._apply(rule, text, told)
        if self.wants_pairs:
            text = self._pairs.key_value(text, told)
        if text.endswith(CUT):
            start = self._half(text)
            if start < len(text):
                text = text[:start] + told("cut", text[start:-1]) + CUT
        return text

    def _half(self, text: str) -> int:
        """Where the last token of a text that was cut begins, when it may be the half of a secret; else its length."""
        last = text[-_TOKEN:-1].split()
        if not last or text[-2].isspace():
            return len(text)
        if any(
            hint in last[-1] for rule in self.rules if rule.trigger for hint in rule.hints if len(hint) > 1
        ):
            return len(text) - 1 - len(last[-1])
        return len(text)

    def _apply(self, rule: Rule, text: str, told: Callable[[str, str], str]) -> str:
        parts: list[str] = []
        done = 0
        masked: list[tuple[int, int]] | None = None
        for found in rule.pattern.finditer(text):
            start, end = found.span(rule.group)
            if start < 0 or start == end or (rule.check is not None and not rule.check(found)):
                continue
            if masked is None:
                masked = self.masks.spans(text)
            if any(first <= start and end <= last for first, last in masked):
                continue
            parts += text[done:start], told(rule.name, text[start:end])
            done = end
        if not parts:
            return text
        parts.append(text[done:])
        return "".join(parts)

    def _long(self, text: str, tally: Tally) -> str:
        if self.masks.is_mask(text):
            return text
        _count(tally, _OVERSIZE)
        if not self._ends:
            return self.masks.of(_OVERSIZE, text)
        half = self.max_scan // 2
        head, tail = text[:half], text[-half:]
        # A token that the cut goes through is not recognised by its half.
        head = head[: len(head) - len(head[-_TOKEN:].split()[-1])] if head[-_TOKEN:].split() else head
        tail = tail[len(tail[:_TOKEN].split()[0]) :] if tail[:_TOKEN].split() else tail
        start, end = tail.find("-----BEGIN "), tail.find("-----END ")
        if end >= 0 and not 0 <= start < end:
            tail = tail[end:]
        middle = f"{CUT} {len(text) - len(head) - len(tail)} characters not shown {CUT}"
        return f"{self._scan(head, tally)}{middle}{self._scan(tail, tally)}"

    # -- values --------------------------------------------------------------------------

    def value(self, value: Any, tally: Tally, path: str = "", depth: int = 0) -> Any:
        """The JSON value ``value`` redacted, at every depth; the same object where nothing changes."""
        kind = type(value)
        if kind is str:
            return self.text(value, tally)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return self._number(value, tally)
        try:
            if depth >= _NESTED:
                _count(tally, _DEPTH)
                return self.masks.of(_DEPTH, "")
            if kind is dict:
                return self._mapping(value, tally, path, depth)
            if kind is list or kind is tuple:
                return self._sequence(value, tally, path, depth)
            if kind is bytes:
                return self._bytes(value, tally)
        except Exception:
            pass
        _count(tally, _FAILED)
        return FAILED

    def member(self, key: str, value: Any, tally: Tally, path: str = "", depth: int = 0) -> Any:
        """The value of a key: masked by the key, or redacted by what it is."""
        name = f"{path}.{key}" if path and self.keys.wants_path else key
        if self.keys.is_secret(key, name):
            return self._by_key(value, tally)
        return self.value(value, tally, name, depth)

    def _by_key(self, value: Any, tally: Tally) -> Any:
        if value is None or value == "" or type(value) is bool:
            return value
        if type(value) is str and self.masks.is_mask(value):
            return value
        _count(tally, _KEY)
        return self.masks.of(_KEY, value if type(value) is str else repr(value))

    def _mapping(self, value: dict[Any, Any], tally: Tally, path: str, depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        changed = False
        for key, member in value.items():
            name = self.text(key, tally) if type(key) is str else key
            unique, number = name, 2
            while unique in made:
                unique, number = f"{name}#{number}", number + 1
            new = self.member(key if type(key) is str else str(key), member, tally, path, depth + 1)
            if name is not key:  # what is left of a key may name a secret
                new = self.member(name, new, tally, path, depth + 1)
            changed = changed or new is not member or unique is not key
            made[unique] = new
        return made if changed else value

    def _sequence(self, value: Sequence[Any], tally: Tally, path: str, depth: int) -> Sequence[Any]:
        made = [
            self._pair(member, tally, path, depth + 1)
            if type(member) in (list, tuple) and len(member) == 2
            else self.value(member, tally, path, depth + 1)
            for member in value
        ]
        if all(new is member for new, member in zip(made, value, strict=True)):
            return value
        return made

    def _pair(self, value: Sequence[Any], tally: Tally, path: str, depth: int) -> Any:
        """One of a list of pairs, such as headers: a key and its value, when the key names a secret."""
        key = value[0].decode("latin-1") if type(value[0]) is bytes else value[0]
        if type(key) is str and self.keys.is_secret(key):
            new = self._by_key(value[1], tally)
            return value if new is value[1] else [value[0], new]
        return self.value(value, tally, path, depth)

    def _number(self, value: int, tally: Tally) -> Any:
        # By size: text of a number of thousands of digits is slow, and refused by Python 3.11.
        if not self.numbers or not 10**11 <= value < 10**19:
            return value
        text = self.text(str(value), tally)
        return text if text != str(value) else value

    def _bytes(self, value: bytes, tally: Tally) -> Any:
        """Bytes, masked completely when anything in them is secret: as a text, or as base64 of one."""
        found: Tally = {}
        text = value.decode("utf-8", "replace")
        if self.text(text, found) == text:
            try:
                inner = base64.b64decode(value, validate=True).decode("utf-8")
            except (binascii.Error, ValueError):
                return value
            if self.text(inner, found) == inner:
                return value
        for rule, count in found.items():
            _count(tally, rule, count)
        return self.masks.of(next(iter(found), _FAILED), text)


def _count(tally: Tally, rule: str, count: int = 1) -> None:
    tally[rule] = tally.get(rule, 0) + count
