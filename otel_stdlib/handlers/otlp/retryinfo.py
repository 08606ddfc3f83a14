"""The pause that a gRPC server asks for: ``google.rpc.RetryInfo`` in ``google.rpc.Status``. Pure.

Read by protobuf's encoding, as far as it goes: the messages themselves are in a package that nothing else here needs.

    Status     3: details, repeated Any         Any        1: type_url, 2: value
    RetryInfo  1: retry_delay, Duration         Duration   1: seconds, 2: nanos
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["retry_delay"]

_RETRY_INFO = b"google.rpc.RetryInfo"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST = 1e9


def retry_delay(status: bytes) -> float | None:
    """Seconds, 0 where none are given; None where there is no ``RetryInfo``, or nothing that can be read."""
    try:
        for number, detail in _fields(status):
            if number != 3 or not isinstance(detail, bytes):
                continue
            found = dict(_fields(detail))
            if not _as_bytes(found.get(1)).endswith(b"/" + _RETRY_INFO):
                continue
            duration = dict(_fields(_as_bytes(dict(_fields(_as_bytes(found.get(2)))).get(1))))
            seconds = _as_number(duration.get(1)) + _as_number(duration.get(2)) / 1e9
            return seconds if 0 <= seconds < _MOST else 0.0
    except (IndexError, ValueError):
        return None
    return None


def _as_bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _as_number(value: int | bytes | None) -> int:
    return value if isinstance(value, int) else 0


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: numbers, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("a group")
        if at + size > len(message):
            raise ValueError("cut short")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("no number")
