"""The seed's interface: one logger, functions for every module, back ends by name."""

from otel_stdlib.config.registry import register_backend
from otel_stdlib.facade.backends import BatchBackendInterface, LogBackendInterface
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

__all__ = [
    "BatchBackendInterface",
    "LogBackendInterface",
    "OTelLogger",
    "alog",
    "alog_critical",
    "alog_debug",
    "alog_error",
    "alog_info",
    "alog_warning",
    "configure_logger",
    "generate_correlation_id",
    "log",
    "log_critical",
    "log_debug",
    "log_error",
    "log_exception",
    "log_info",
    "log_warning",
    "register_backend",
]
