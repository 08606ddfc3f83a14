"""The shapes that a line may have, by the name of the ``format`` option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib.record.ecs import ecs_document
from otel_stdlib.record.otlp import logs_data

__all__ = ["SHAPES"]


def _as_it_is(line: dict[str, Any]) -> Mapping[str, Any]:
    return line


SHAPES: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "otel": _as_it_is,
    "otlp": logs_data,
    "ecs": ecs_document,
}
