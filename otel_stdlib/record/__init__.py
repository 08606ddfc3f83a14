"""What a record is: its line, its encoder, its trace context, its resource."""

from otel_stdlib.record.callsite import DELIVERY_THREAD_PREFIX
from otel_stdlib.record.context import (
    ContextExecutor,
    SpanContext,
    attach,
    current_context,
    detach,
    new_span_id,
    new_trace_id,
    wrap_context,
)
from otel_stdlib.record.current import current_span
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.record.formatter import OTelFormatter
from otel_stdlib.record.limits import Limits
from otel_stdlib.record.line import close_line, load_line, load_record
from otel_stdlib.record.rebuild import rebuild_record
from otel_stdlib.record.resource import Resource, detect_resource
from otel_stdlib.record.traceparent import format_traceparent, parse_traceparent

__all__ = [
    "DELIVERY_THREAD_PREFIX",
    "ContextExecutor",
    "Limits",
    "LineEncoder",
    "OTelFormatter",
    "Resource",
    "SpanContext",
    "attach",
    "close_line",
    "current_context",
    "current_span",
    "detach",
    "detect_resource",
    "format_traceparent",
    "load_line",
    "load_record",
    "new_span_id",
    "new_trace_id",
    "parse_traceparent",
    "rebuild_record",
    "wrap_context",
]
