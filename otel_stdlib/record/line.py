"""The line of a record: the open form that a spool holds and the closed form of a file.

The open line is the record's JSON object without its end: it stops inside ``attributes``,
after a comma or the opening brace, because the uid is known only when the record has its
place in the spool, and the resource stands once per spool:

    {"timestamp":"…","severity_text":"INFO",…,"attributes":{"code.line.number":7,"user":"x",

A destination closes it by concatenation; nothing is encoded twice.

JSON has no bytes: they are base64 text, and a space before that text says what it is. No other
value of a line has one before it, and every reader of JSON passes over it; ``load_record`` makes it bytes again.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import Any

import orjson

__all__ = ["BYTES_MARK", "close_line", "load_line", "load_object", "load_record", "may_hold_bytes"]

#: Before the base64 text of bytes.
BYTES_MARK = b" "
_START = BYTES_MARK + b'"'
#: Not inside a text: there a quote has a backslash before it. Nor a text that ends with a space: what
#: follows its quote is no base64 and no quote.
_BYTES = re.compile(rb'(?<=[:,\[]) "([A-Za-z0-9+/]*={0,2})"(?=[,}\]])')
#: The one member of an object that stands for bytes while a line is read. No record can hold it.
_TOKEN = os.urandom(16).hex()
_AS_OBJECT = b'{"%b":"\\1"}' % _TOKEN.encode("ascii")
_UID = b'"log.record.uid":"'
_RESOURCE = b'"},"resource":'


def close_line(payload: bytes, uid: bytes, resource: bytes) -> bytes:
    """The whole record as one JSON object, without a line end."""
    return b"%b%b%b%b%b}" % (payload, _UID, uid, _RESOURCE, resource)


def load_line(payload: bytes, uid: bytes, resource: bytes) -> dict[str, Any]:
    """The whole record as a dictionary."""
    record: dict[str, Any] = orjson.loads(close_line(payload, uid, resource))
    return record


def load_record(payload: bytes, uid: bytes, resource: bytes) -> dict[str, Any]:
    """The whole record as a dictionary, its bytes as ``bytes``."""
    return load_object(close_line(payload, uid, resource))


def may_hold_bytes(text: bytes) -> bool:
    """Whether JSON that this package has written may hold bytes. False for most of what does not."""
    return _START in text


def load_object(text: bytes) -> dict[str, Any]:
    """A JSON object that this package has written, its bytes as ``bytes``."""
    if not may_hold_bytes(text):
        plain: dict[str, Any] = orjson.loads(text)
        return plain
    found: dict[str, Any] = _with_bytes(orjson.loads(_BYTES.sub(_AS_OBJECT, text)))
    return found


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and _TOKEN in value:
            try:
                return base64.b64decode(value[_TOKEN], validate=True)
            except binascii.Error:  # a line that somebody else wrote
                return value[_TOKEN]
        return {key: _with_bytes(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_bytes(member) for member in value]
    return value
