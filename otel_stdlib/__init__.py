"""OpenTelemetry log records from Python's own ``logging``: crash-safe, exactly once, never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_stdlib.facts.public import load_on_demand

__all__ = [
    "ASGITraceMiddleware",
    "BatchBackendInterface",
    "ConfigError",
    "ConfigFileError",
    "ContextExecutor",
    "LogBackendInterface",
    "MissingExtraError",
    "OTelFormatter",
    "OTelLogger",
    "OTelQueueHandler",
    "OTelQueueListener",
    "OTelStdlibError",
    "Span",
    "SpanContext",
    "SpanManager",
    "SpoolError",
    "SpoolFull",
    "StateError",
    "WSGITraceMiddleware",
    "alog",
    "alog_critical",
    "alog_debug",
    "alog_error",
    "alog_info",
    "alog_warning",
    "aotel_span",
    "attach",
    "configure_logger",
    "current_context",
    "debug_logger",
    "detach",
    "extract_headers",
    "fast_log_record",
    "format_traceparent",
    "generate_correlation_id",
    "health",
    "inject_headers",
    "load_dict_config",
    "log",
    "log_critical",
    "log_debug",
    "log_error",
    "log_exception",
    "log_info",
    "log_warning",
    "multiprocessing_initializer",
    "otel_log",
    "otel_span",
    "otel_trace",
    "parse_traceparent",
    "register_backend",
    "wrap_context",
]

if TYPE_CHECKING:  # what type checkers and editors read; a test holds that both are the same
    from otel_stdlib.config.dictconfig import load_dict_config
    from otel_stdlib.config.errors import ConfigFileError
    from otel_stdlib.config.registry import register_backend
    from otel_stdlib.facade.backends import BatchBackendInterface, LogBackendInterface
    from otel_stdlib.facade.children import multiprocessing_initializer
    from otel_stdlib.facade.configure import configure_logger, generate_correlation_id
    from otel_stdlib.facade.functions import (
        alog,
        alog_critical,
        alog_debug,
        alog_error,
        alog_info,
        alog_warning,
        log,
        log_critical,
        log_debug,
        log_error,
        log_exception,
        log_info,
        log_warning,
    )
    from otel_stdlib.facade.logger import OTelLogger
    from otel_stdlib.facts.diagnostics import debug_logger
    from otel_stdlib.facts.errors import (
        ConfigError,
        MissingExtraError,
        OTelStdlibError,
        SpoolError,
        SpoolFull,
        StateError,
    )
    from otel_stdlib.handlers.attachment import health
    from otel_stdlib.queue.handler import OTelQueueHandler
    from otel_stdlib.queue.listener import OTelQueueListener
    from otel_stdlib.record.context import (
        ContextExecutor,
        SpanContext,
        attach,
        current_context,
        detach,
        wrap_context,
    )
    from otel_stdlib.record.factory import fast_log_record
    from otel_stdlib.record.formatter import OTelFormatter
    from otel_stdlib.record.traceparent import format_traceparent, parse_traceparent
    from otel_stdlib.tracing.decorate import otel_log, otel_trace
    from otel_stdlib.tracing.headers import extract_headers, inject_headers
    from otel_stdlib.tracing.manager import SpanManager, aotel_span, otel_span
    from otel_stdlib.tracing.middleware import ASGITraceMiddleware, WSGITraceMiddleware
    from otel_stdlib.tracing.work import Span
else:
    __getattr__, __dir__ = load_on_demand(
        __name__,
        {
            "otel_stdlib.config.dictconfig": "load_dict_config",
            "otel_stdlib.config.errors": "ConfigFileError",
            "otel_stdlib.config.registry": "register_backend",
            "otel_stdlib.facade.backends": "BatchBackendInterface LogBackendInterface",
            "otel_stdlib.facade.children": "multiprocessing_initializer",
            "otel_stdlib.facade.configure": "configure_logger generate_correlation_id",
            "otel_stdlib.facade.functions": (
                "alog alog_critical alog_debug alog_error alog_info alog_warning "
                "log log_critical log_debug log_error log_exception log_info log_warning"
            ),
            "otel_stdlib.facade.logger": "OTelLogger",
            "otel_stdlib.facts.diagnostics": "debug_logger",
            "otel_stdlib.facts.errors": "ConfigError MissingExtraError OTelStdlibError SpoolError SpoolFull StateError",
            "otel_stdlib.handlers.attachment": "health",
            "otel_stdlib.queue.handler": "OTelQueueHandler",
            "otel_stdlib.queue.listener": "OTelQueueListener",
            "otel_stdlib.record.context": "ContextExecutor SpanContext attach current_context detach wrap_context",
            "otel_stdlib.record.factory": "fast_log_record",
            "otel_stdlib.record.formatter": "OTelFormatter",
            "otel_stdlib.record.traceparent": "format_traceparent parse_traceparent",
            "otel_stdlib.tracing.decorate": "otel_log otel_trace",
            "otel_stdlib.tracing.headers": "extract_headers inject_headers",
            "otel_stdlib.tracing.manager": "SpanManager aotel_span otel_span",
            "otel_stdlib.tracing.middleware": "ASGITraceMiddleware WSGITraceMiddleware",
            "otel_stdlib.tracing.work": "Span",
        },
    )
