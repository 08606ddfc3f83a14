"""Showing the path that users import from in names, tracebacks and ``repr``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["show_as_public"]


def show_as_public(module: str, names: Iterable[str], namespace: Mapping[str, Any]) -> tuple[str, ...]:
    """Set ``__module__`` of the classes and functions in ``names`` to ``module``; the names."""
    names = tuple(names)
    for name in names:
        value = namespace[name]
        if str(getattr(value, "__module__", "")).startswith("otel_stdlib."):
            value.__module__ = module
    return names
