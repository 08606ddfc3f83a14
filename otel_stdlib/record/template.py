"""A message before its arguments are put in, for formatters that read ``record.args``."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from otel_stdlib.record.plain import PLAIN_OPTIONS

__all__ = ["TEMPLATE", "restore_template", "template_of"]

#: The attribute under which a destination that reads templates gets one.
TEMPLATE = "otel_stdlib.template"

#: Longer ones do not travel: the message does, once.
_MOST_BYTES = 8_192
_FLAT = frozenset({str, int, bool, type(None)})


def template_of(record: logging.LogRecord) -> bytes:
    """The message and its arguments as JSON; b"" without arguments, or where they are not plain."""
    fields = record.__dict__
    message, args = fields.get("msg"), fields.get("args")
    if not args or type(message) is not str or "getMessage" in fields:
        return b""
    kind = type(args)
    if kind is tuple:
        values: Any = args
    elif kind is dict:
        values = args.values()
        if not all(type(name) is str for name in args):
            return b""
    else:
        return b""
    for value in values:
        if type(value) not in _FLAT and (type(value) is not float or value - value != 0.0):
            return b""
    try:
        text = orjson.dumps([message, args], None, PLAIN_OPTIONS)
    except TypeError:  # an integer past 53 bits, or a text that is not one
        return b""
    return text if len(text) <= _MOST_BYTES else b""


def restore_template(body: Any, template: Any) -> tuple[Any, Any]:
    """``msg`` and ``args`` of a record whose message is ``body``."""
    try:
        message, args = template
        args = dict(args) if isinstance(args, dict) else tuple(args)
        if message % args == body:
            return message, args
    except Exception:  # no template, or one of something else
        pass
    return body, None
