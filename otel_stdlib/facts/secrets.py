"""Values to keep out of sight: text that hides itself in ``repr``, what to call secret, credentials in text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MASK", "Secret", "is_secret_name", "mask", "mask_secrets"]

MASK = "***"

_NAME = re.compile(
    r"(?i)(?:^|[_.-])(?:pass|passwd|password|passphrase|pwd|secret|token|credentials?|dsn|auth|authorization|"
    r"api_?key|apikey|private_?key|access_?key|key)(?:$|[_.-])|password|secret|api_?key"
)
#: Names that look like one and are none.
_NOT = frozenset({"key", "key_by", "ssl_keyfile", "client_key", "message_key"})


class Secret(str):
    """Text whose ``repr`` is ``'***'``, so that error messages that quote an option do not show it.

    ``str()``, formatting and every use as text give the text itself.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def is_secret_name(name: object) -> bool:
    """Whether the value of an option or variable of this name is taken for a secret."""
    return isinstance(name, str) and name.lower() not in _NOT and _NAME.search(name) is not None


def mask(value: Any, name: object = None) -> Any:
    """A copy of ``value`` to show: secrets, values of secret names and passwords in URLs are ``***``."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Mapping):
        return {key: mask(item, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if is_secret_name(name):
            # ``[user, password]``: the user may be seen.
            return [mask(item) if index == 0 and len(value) > 1 else MASK for index, item in enumerate(value)]
        return [mask(item) for item in value]
    if isinstance(value, str):
        if is_secret_name(name):
            return MASK if value else value
        return _mask_url(value)
    return value


def _mask_url(text: str) -> str:
    try:
        has_user = "@" in text and urlsplit(text).password is not None
    except ValueError:
        has_user = True
    return mask_secrets(text) if has_user else text


# Greedy up to the last "@": a password may hold "/" and "@". A host with a path and no ":" has none.
_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)(?![^\s'\"<>/?#:@]*[/?#])[^\s'\"<>]*@")
_QUOTED = r"b?'(?:\\.|[^'\\])*'|b?\"(?:\\.|[^\"\\])*\"|b?['\"]\S+"
# A comma or bracket belongs to the value when it goes on behind it, and not with another option.
_BARE = r"(?:[^\s'\",;&}\])]|[,;}\])](?=[^\s,;}\])'\"&])(?![\w.-]+\s*[=:]))+"
_VALUE = rf"(?:{_QUOTED}|{_BARE})"
_HEADER = re.compile(
    r"(?i)\b(?P<name>authorization(?P<end>['\"]?)\s*(?P<sign>[:=])\s*)"
    rf"(?P<value>{_QUOTED}|(?:(?:basic|bearer|apikey|digest|negotiate)\s+)?{_VALUE})"
)
_PAIR = re.compile(
    r"(?i)(?P<name>(?P<kind>password|passwd|passphrase|pwd|credentials?|secret|token|api[_ -]?key|"
    r"(?:secret|access|private|signing)(?:[_-]?access)?[_-]?key|\bpass(?=\s*=))"
    rf"(?P<end>['\"]?)\s*(?P<sign>:(?!:)|=(?!=))\s*)(?P<value>{_VALUE})"
)
#: Values that need no name.
_ALONE = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=\bBearer )(?=\S*\d)[\w.~+/-]{16,}=*")
#: What messages go on with behind "password:" and "unexpected token:".
_PROSE = re.compile(
    r"(?i)a|an|and|any|are|authentication|bad|been|but|by|can|cannot|could|denied|does|end|eof|error|"
    r"expected|expired|failed|false|found|got|has|have|in|incorrect|invalid|is|it|malformed|missing|"
    r"must|no|none|not|null|of|on|only|or|rejected|required|revoked|should|string|the|this|to|too|"
    r"true|unexpected|unknown|unsupported|was|wrong|you|your"
)
#: Machines make these: a value of letters alone is a word.
_MADE = frozenset({"token", "apikey"})


def mask_secrets(text: str) -> str:
    """``text`` with user info in URLs, Authorization headers and password-like pairs replaced by ``***``."""
    # Functions: a template imports ``re`` in the call, which fails while the interpreter ends.
    text = _URL.sub(lambda found: f"{found['scheme']}{MASK}@", text)
    text = _HEADER.sub(_masked, text)
    text = _PAIR.sub(_masked, text)
    return _ALONE.sub(MASK, text)


def _masked(match: re.Match[str]) -> str:
    return match[0] if _is_prose(match) else match["name"] + MASK


def _is_prose(match: re.Match[str]) -> bool:
    """Whether words follow, as in ``unexpected token: expected a name``, and not a value."""
    value = match["value"].rstrip(".!?:")
    if match["sign"] == "=" or match["end"] or not value.isalpha() or not value.isascii():
        return False
    kind = re.sub(r"[_ -]", "", match.groupdict().get("kind") or "").lower()
    return _PROSE.fullmatch(value) is not None or (kind in _MADE and len(value) <= 15)
