"""No span of an instrumentation for the requests that deliver logs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uninstrumented"]

_KEYS = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")


@contextmanager
def uninstrumented() -> Iterator[None]:
    """Tell OpenTelemetry's instrumentations of HTTP clients, where the process has them, to pass over what follows.

    Otherwise delivering logs would fill the application's traces.
    """
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        yield
        return
    try:
        current = context.get_current()
        for name in _KEYS:
            key = getattr(context, name, None)
            if key is not None:
                current = context.set_value(key, True, current)
        token = context.attach(current)
    except Exception:  # another version of it: a span more is no reason to keep records back
        yield
        return
    try:
        yield
    finally:
        context.detach(token)
