"""Spans without an SDK, or with one; the trace in and out of headers."""

from otel_stdlib.tracing.decorate import otel_log, otel_trace
from otel_stdlib.tracing.headers import extract_headers, inject_headers
from otel_stdlib.tracing.manager import SpanManager, aotel_span, otel_span
from otel_stdlib.tracing.middleware import ASGITraceMiddleware, WSGITraceMiddleware
from otel_stdlib.tracing.work import Span

__all__ = [
    "ASGITraceMiddleware",
    "Span",
    "SpanManager",
    "WSGITraceMiddleware",
    "aotel_span",
    "extract_headers",
    "inject_headers",
    "otel_log",
    "otel_span",
    "otel_trace",
]
