"""The compiled encoder of ordinary records, where there is one. ``LineEncoder.encode`` is the specification."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import orjson

from otel_stdlib._native import core
from otel_stdlib.record.context import CURRENT
from otel_stdlib.record.current import otel_fragment
from otel_stdlib.record.encoder import LIFTED_KEYS, LineEncoder, Site, site_key
from otel_stdlib.record.lift import BASE_KEYS, MESSAGE_KEYS
from otel_stdlib.record.plain import KEY_LENGTH, PLAIN_OPTIONS, is_plain
from otel_stdlib.record.stamp import second_prefix

__all__ = ["fastest_encode", "make_compiled"]

_SIMPLE = frozenset({str, int, bool, type(None)})
Encode = Callable[[logging.LogRecord], "tuple[bytes, int, int] | None"]


def fastest_encode(encoder: LineEncoder) -> Encode:
    """``encoder.encode``, or what does the same for ordinary records in C and asks it for all others."""
    compiled = make_compiled(encoder)
    encode: Encode = encoder.encode if compiled is None else compiled.encode
    return encode


def make_compiled(encoder: LineEncoder) -> Any:
    """An encoder in C over one in Python; None where there is none, or no record is ordinary with its options."""
    if core is None or encoder.wants_base:
        return None
    sites, new_site = encoder.sites, encoder.new_site

    def site_of(record: logging.LogRecord) -> tuple[Site, bool]:
        key = site_key(record.__dict__)
        site = sites.get(key)
        if site is None:
            site = new_site(record)
        return site, key in sites

    general, short_bytes = encoder.general, encoder.bounds()[2]

    def odd_extras(extras: dict[str, Any]) -> bytes:
        """Members, as ``LineEncoder.encode`` writes extras that are no more than allowed."""
        if all(type(value) in _SIMPLE or is_plain(value) for value in extras.values()):
            with contextlib.suppress(TypeError):
                attributes = orjson.dumps(extras, None, PLAIN_OPTIONS)
                if len(attributes) <= short_bytes or encoder.fit(attributes, extras):
                    return attributes[1:-1] + b","
        return general.attributes(extras)[0]

    return core.Encoder(
        encoder.encode,
        site_of,
        frozenset(encoder.special),
        encoder.take_special,
        general.exception,
        odd_extras,
        LIFTED_KEYS,
        MESSAGE_KEYS,
        second_prefix,
        CURRENT,
        otel_fragment,
        logging.LogRecord,
        BASE_KEYS,
        *encoder.bounds(),
        KEY_LENGTH,
    )
