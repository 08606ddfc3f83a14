"""Spans of an OpenTelemetry SDK, where the program has set one up. Nothing is imported here for it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_stdlib.record.context import SpanContext

__all__ = ["SdkSpan", "clean_attributes", "find_tracer"]

_SIMPLE = (str, int, float, bool)

# The provider and its tracer as last seen: asking for a tracer on every span is not free.
_last: tuple[Any, Any] = (None, None)


def find_tracer() -> Any:
    """The tracer of a real provider, or None."""
    global _last
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        provider = trace.get_tracer_provider()
        if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
            return None
        if provider is not _last[0]:
            _last = (provider, provider.get_tracer("otel_stdlib"))
        return _last[1]
    except Exception:  # half imported, or somebody else's idea of a provider
        return None


def clean_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK takes without a warning: simple values and lists of one simple type; other things as text."""
    return {str(name): _clean(value) for name, value in attributes.items() if value is not None}


def _clean(value: Any) -> Any:
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, (list, tuple)):
        kinds = {type(item) for item in value}
        return list(value) if len(kinds) <= 1 and kinds <= set(_SIMPLE) else [_text(item) for item in value]
    return _text(value)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


class SdkSpan:
    """A span of the SDK. ``parent`` counts where the SDK has no current span of its own."""

    def __init__(
        self, tracer: Any, name: str, attributes: Mapping[str, Any], parent: SpanContext | None, kind: str
    ):
        from opentelemetry import context as otel_context
        from opentelemetry import trace

        self._trace = trace
        self._context_api = otel_context
        above = otel_context.get_current()
        if (
            parent is not None
            and parent.is_valid
            and not trace.get_current_span(above).get_span_context().is_valid
        ):
            remote = trace.SpanContext(
                int(parent.trace_id, 16),
                int(parent.span_id, 16),
                parent.is_remote,
                trace.TraceFlags(int(parent.trace_flags, 16)),
                trace.TraceState.from_header([parent.tracestate] if parent.tracestate else []),
            )
            above = trace.set_span_in_context(trace.NonRecordingSpan(remote), above)
        self.span = tracer.start_span(
            name, context=above, kind=trace.SpanKind[kind], attributes=clean_attributes(attributes)
        )
        self._inside = trace.set_span_in_context(self.span, above)

    def context(self, correlation_id: str) -> SpanContext:
        """Its ids as this package's context."""
        own = self.span.get_span_context()
        flags = f"{int(own.trace_flags) & 0xFF:02x}"
        state = own.trace_state.to_header() if own.trace_state else ""
        return SpanContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", flags, state, correlation_id)

    def attach(self) -> Any:
        """Make it the SDK's current span; the token undoes it."""
        return self._context_api.attach(self._inside)

    def detach(self, token: Any) -> None:
        """Undo ``attach``. A token of another task is ignored, as the SDK would only complain about it."""
        var = getattr(token, "var", None)
        try:
            # The SDK's own detach logs an error for a foreign token instead of raising.
            var.reset(token) if var is not None else self._context_api.detach(token)
        except (ValueError, RuntimeError):
            return

    def end(self, attributes: Mapping[str, Any], error: BaseException | None, *, is_failure: bool) -> None:
        """End it with its last attributes, and the exception that ended it."""
        self.span.set_attributes(clean_attributes(attributes))
        if error is not None and is_failure:
            self.span.record_exception(error)
            status = self._trace.Status(
                self._trace.StatusCode.ERROR, f"{type(error).__name__}: {_text(error)}"
            )
            self.span.set_status(status)
        self.span.end()
