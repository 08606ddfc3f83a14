"""Secrets that are known by the key before them: ``password=x``, ``"apiKey": "x"``, and those in URLs."""

from __future__ import annotations

import re
from collections.abc import Callable

from otel_stdlib.redaction.masks import URL_MASK, Masks
from otel_stdlib.redaction.words import KeyRules, words_of

__all__ = ["PairRules", "names_secret_at_end"]

_NEVER_PLAIN = r"[^\s,;&\"'(){}\[\]<>\0]"
#: Words that make a key with the one behind them: ``api key: x``.
_FIRST = r"(?:(?:api|access|private|secret|signing|encryption|auth|bearer|refresh|session|set)[ ])?"
_KEY = rf"(?<![\w.%-])(?P<key>{_FIRST}[A-Za-z_][\w.-]{{0,127}})"
# In a line of source a type may be between: ``password: str = "x"``.
_SIGN = (
    r"(?P<end>\\?[\"']?\]?)"
    r"(?P<sign>[ \t]{0,4}(?::[ \t]{0,4}(?:str|bytes|str \| None|Optional\[str\])[ \t]{0,4}=|=>|:=|=|:)[ \t]{0,4})"
)
_SCHEME = r"(?P<scheme>(?i:bearer|basic|token|apikey|digest|negotiate)[ \t]{1,4})?"
# What follows a bracket belongs to the value when there is more of it: passwords hold all characters.
_BARE = rf"{_NEVER_PLAIN}(?:[^\s,;&\"'<>\0)\]}}]|[)\]}}](?=[^\s,;&\"'<>\0)\]}}]))*"
# In JSON inside a text a quote has a backslash before it.
_QUOTED = (
    r"\\\"(?P<q1>[^\"\\\0]*)|\\'(?P<q2>[^'\\\0]*)"
    r"|[bBrRuUfF]{0,2}(?:\"(?P<q3>(?:\\.|[^\"\\\0])*)|'(?P<q4>(?:\\.|[^'\\\0])*))"
)
_QUERY_SIGNED = (
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
)
_SIGNED = frozenset(_QUERY_SIGNED)
_QUERY = re.compile(r"(?<=[?&])([A-Za-z0-9_.%\[\]-]{1,128})=([^&\s\"'<>#\0]+)")
# Up to the last "@" before a path, or to the first one behind it: a password may hold "/". A port is none.
_USER = re.compile(
    r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/?#@:\"'<>\0]{0,256}:"
    r"(?![0-9]{1,5}(?:[/?#\s]|\Z))(?:[^\s/?#\"'<>\0]{0,512}@|[^\s@\"'<>\0]{1,256}@)"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Values that need no mask, whatever their key.
_NOTHING = _words("bearer basic digest negotiate none null nil true false undefined <none> *** **** ...") | {
    ""
}
#: What messages go on with behind "password:" and "unexpected token:".
_PROSE = _words(
    "a all an and any are at authentication bad been but by can cannot could denied does end eof error "
    "expected expired failed false for found from got has have if in incorrect invalid is it malformed "
    "missing must no none not null of on only or please rejected required reset revoked should string the "
    "this to too true unexpected unknown unsupported updated was when with wrong you your "
)
_MOST_WORD = 15
_CODE = re.compile(r"[A-Za-z_][A-Za-z_.]*(?:\([\w.,= ]*\)?)?\Z")


class PairRules:
    """The rules ``key_value`` and ``url`` over one set of keys."""

    def __init__(self, keys: KeyRules, masks: Masks) -> None:
        self._keys = keys
        self._masks = masks
        # Two patterns: a value is looked at behind a secret's key alone, or time would grow with the square.
        self._pair = re.compile(_KEY + _SIGN)
        self._value = re.compile(rf"{_SCHEME}(?:(?P<mask>{masks.pattern})|{_QUOTED}|(?P<bare>{_BARE}))")
        self._rest = re.compile(r"[^\r\n\0\"']*")

    def key_value(self, text: str, tell: Callable[[str, str], str] | None) -> str:
        """``text`` with the values of secret keys replaced by what ``tell`` answers for the rule and the secret.

        Without ``tell`` the text itself, or another one as soon as there is something to replace.
        """
        parts: list[str] = []
        done = place = 0
        while (pair := self._pair.search(text, place)) is not None:
            place = pair.end()
            mask = self._masks.end_of(text, pair.start("key"))
            if mask:
                place = mask  # ``jwt:`` and 16 digits of a hash are no pair
                continue
            found = self._value.match(text, place) if self._keys.is_secret(pair["key"]) else None
            if found is None or found["mask"] is not None:
                continue
            group = found.lastgroup or "bare"
            start, end = found.span(group)
            if group == "bare" and "cookie" in words_of(pair["key"])[-1:]:
                rest = self._rest.match(text, start)
                end = end if rest is None else rest.end()
            secret = text[start:end]
            if self._is_harmless(pair, secret, group != "bare" or found["scheme"] is not None):
                continue
            if tell is None:
                return ""
            parts += text[done:start], tell("key_value", secret)
            done = place = end
        if not parts:
            return text
        parts.append(text[done:])
        return "".join(parts)

    def _is_harmless(self, pair: re.Match[str], value: str, clear: bool) -> bool:
        """Whether what follows a key is prose, code, a placeholder or a mask already, and not a value."""
        if value.lower() in _NOTHING or self._masks.is_mask(value) or not value.strip(".…*"):
            return True
        if clear or pair["end"]:
            return False
        word = value.rstrip(".!?:")
        if "=" not in pair["sign"] and word.isalpha() and word.islower():
            if word in _PROSE:
                return True
            last = words_of(pair["key"])[-1]
            return last in ("token", "session", "auth") and len(word) <= _MOST_WORD
        # A line of a traceback passes a variable on: ``password=self.password``, ``token = read()``.
        return (
            "=" in pair["sign"]
            and _CODE.match(value) is not None
            and ("(" in value or value.rpartition(".")[2] == pair["key"])
        )

    def url(self, text: str, tell: Callable[[str], object] | None) -> str:
        """``text`` without passwords and signatures in URLs; ``tell`` is called with the rule for each."""
        if "://" in text:
            text = _USER.sub(lambda found: self._without_user(found, tell), text)
        if "=" in text and ("?" in text or "&" in text):
            text = _QUERY.sub(lambda found: self._without_value(found, tell), text)
        return text

    def _without_user(self, found: re.Match[str], tell: Callable[[str], object] | None) -> str:
        masked = f"{found[1]}{URL_MASK}:{URL_MASK}@"
        if found[0] == masked:
            return masked
        if tell is not None:
            tell("url")
        return masked

    def _without_value(self, found: re.Match[str], tell: Callable[[str], object] | None) -> str:
        name, value = found[1], found[2]
        if self._masks.is_mask(value) or not (name in _SIGNED or self._keys.is_secret(name)):
            return found[0]
        if tell is not None:
            tell("url")
        return f"{name}={URL_MASK}"


_LAST_KEY = re.compile(
    rf"{_KEY}\\?[\"']?\]?[ \t]{{0,4}}(?:=>|:=|=|:)[ \t]{{0,4}}(?:(?i:bearer|basic|token)[ \t]+)?[\"']?\Z"
)
_PHRASE = re.compile(
    r"(?i)(?<![\w.-])(?:bearer|password|passwd|passphrase|secret|api[ _-]?key|private[ _-]?key)(?: is)?[ \t]+[\"']?\Z"
)


def names_secret_at_end(text: str, keys: KeyRules) -> tuple[bool, bool]:
    """Of the text before a placeholder: whether it says that a secret follows, and whether it ends with a key."""
    found = _LAST_KEY.search(text[-200:])
    if found is not None:
        return keys.is_secret(found["key"]), True
    return _PHRASE.search(text[-64:]) is not None, False
