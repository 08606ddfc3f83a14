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


# Greedy up to the last "@": a password may hold "/" and "@".
_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s'\"<>]*@")
_VALUE = r"(?:b?'[^']*'|b?\"[^\"]*\"|[^\s'\",;&})]+)"
_HEADER = re.compile(
    rf"(?i)\b(?P<name>authorization['\"]?\s*[:=]\s*)(?:b?'[^']*'|b?\"[^\"]*\"|(?:(?:basic|bearer|apikey)\s+)?{_VALUE})"
)
_PAIR = re.compile(
    rf"(?i)(?P<name>\b[\w.-]*(?:password|passwd|secret|token|api[_-]?key)['\"]?\s*[:=]\s*){_VALUE}"
)


def mask_secrets(text: str) -> str:
    """``text`` with user info in URLs, Authorization headers and password-like pairs replaced by ``***``."""
    text = _URL.sub(r"\g<scheme>***@", text)
    text = _HEADER.sub(r"\g<name>***", text)
    return _PAIR.sub(r"\g<name>***", text)
