"""Closed lines, read strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from otel_stdlib.record.line import close_line

UID = b"01M891H8K4024506H6KDTPBNRN-00000100001000"
Logged = Callable[..., dict[str, Any]]


def close(payload: bytes) -> dict[str, Any]:
    """The closed line as strict JSON: no NaN, no double key."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(items) == len({key for key, _ in items}), f"a key stands twice: {items}"
        return dict(items)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    line: dict[str, Any] = json.loads(
        close_line(payload, UID, b'{"service.name":"t"}'), object_pairs_hook=pairs, parse_constant=refuse
    )
    return line
