"""Taking credentials out of text that people or files will see."""

from __future__ import annotations

import re

__all__ = ["mask_secrets"]

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
