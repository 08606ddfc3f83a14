"""The loggers that are compared, each set up as its own documentation says.

Every contestant gets the same call: one INFO record with one argument and three extras, in a
process that has a trace. Peers without a notion of a trace log without one.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["CONTESTANTS", "LABELS", "Contestant"]

_TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
_SPAN_ID = "00f067aa0ba902b7"
_FIELDS = ("levelname", "name", "message", "pathname", "lineno", "funcName", "threadName", "process")


def _nothing() -> None:
    return


@dataclass
class Contestant:
    """One logger, ready to log."""

    #: One log call; the argument is a running number.
    log: Callable[[int], object]
    #: Deliver everything and stop.
    close: Callable[[], object] = _nothing
    #: Wait until what was logged so far is delivered, where the logger can.
    settle: Callable[[], object] = _nothing
    #: Where the lines are; None: it stores nothing.
    output: Path | None = None

    def stored(self) -> int:
        """How many lines the output has."""
        if self.output is None:
            return 0
        with self.output.open("rb") as lines:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b""))


def _stdlib_call(logger: Any) -> Callable[[int], object]:
    def log(number: int) -> None:
        logger.info(
            "order %s placed", number, extra={"order_id": number, "customer": "c-1017", "amount": 12.5}
        )

    return log


def _logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("shop.orders")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


def null(folder: Path) -> Contestant:
    """The floor: what ``logging`` itself costs."""
    return Contestant(_stdlib_call(_logger(logging.NullHandler())))


def null_fast(folder: Path) -> Contestant:
    """The floor with ``fast_log_record``."""
    from otel_stdlib import fast_log_record

    logging.setLogRecordFactory(fast_log_record)
    return null(folder)


def file_pjl(folder: Path) -> Contestant:
    """FileHandler with python-json-logger's formatter."""
    from pythonjsonlogger.json import JsonFormatter

    handler = logging.FileHandler(folder / "out.jsonl")
    handler.setFormatter(JsonFormatter(_FIELDS, timestamp=True))
    return Contestant(_stdlib_call(_logger(handler)), handler.close, output=folder / "out.jsonl")


def queue_pjl(folder: Path) -> Contestant:
    """The standard library's QueueHandler and QueueListener, python-json-logger with orjson behind them."""
    from pythonjsonlogger.orjson import OrjsonFormatter

    behind = logging.FileHandler(folder / "out.jsonl")
    behind.setFormatter(OrjsonFormatter(_FIELDS, timestamp=True))
    records: queue.Queue[Any] = queue.Queue(-1)
    listener = logging.handlers.QueueListener(records, behind)
    listener.start()

    def close() -> None:
        listener.stop()
        behind.close()

    call = _stdlib_call(_logger(logging.handlers.QueueHandler(records)))
    return Contestant(call, close, records.join, folder / "out.jsonl")


def structlog_file(folder: Path) -> Contestant:
    """Structlog with orjson to a file: no standard library record at all."""
    import orjson
    import structlog

    out = (folder / "out.jsonl").open("wb")
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file=out),
    )
    structlog.contextvars.bind_contextvars(trace_id=_TRACE_ID, span_id=_SPAN_ID)
    logger = structlog.get_logger()

    def log(number: int) -> None:
        logger.info("order placed", order=number, order_id=number, customer="c-1017", amount=12.5)

    return Contestant(log, out.close, output=folder / "out.jsonl")


def loguru_enqueue(folder: Path) -> Contestant:
    """Loguru with ``serialize`` and ``enqueue``."""
    from loguru import logger

    logger.remove()
    logger.add(folder / "out.jsonl", serialize=True, enqueue=True, level="INFO")
    bound = logger.bind(trace_id=_TRACE_ID, span_id=_SPAN_ID)

    def log(number: int) -> None:
        bound.info("order {} placed", number, order_id=number, customer="c-1017", amount=12.5)

    return Contestant(log, logger.remove, logger.complete, folder / "out.jsonl")


def otel_sdk(folder: Path) -> Contestant:
    """OpenTelemetry's handler with its batch processor and the console exporter writing to a file."""
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs import export as exporters

    _current_span()
    out = (folder / "out.jsonl").open("w")
    kind = getattr(exporters, "ConsoleLogRecordExporter", None) or exporters.ConsoleLogExporter
    exporter = kind(out=out, formatter=lambda data: data.to_json(indent=None) + "\n")
    provider = LoggerProvider()
    provider.add_log_record_processor(exporters.BatchLogRecordProcessor(exporter))

    def close() -> None:
        provider.shutdown()
        out.close()

    call = _stdlib_call(_logger(LoggingHandler(level=logging.INFO, logger_provider=provider)))
    return Contestant(call, close, provider.force_flush, folder / "out.jsonl")


def picologging_file(folder: Path) -> Contestant:
    """Picologging's FileHandler with its text formatter: it has no JSON, no trace and no extras in the line."""
    import picologging

    handler = picologging.FileHandler(str(folder / "out.log"))
    handler.setFormatter(
        picologging.Formatter(
            "%(asctime)s %(levelname)s %(name)s %(pathname)s %(lineno)d %(threadName)s %(message)s"
        )
    )
    logger = picologging.getLogger("shop.orders")
    logger.setLevel(picologging.INFO)
    logger.addHandler(handler)
    return Contestant(_stdlib_call(logger), handler.close, output=folder / "out.log")


def _own_handler(folder: Path, fast: bool = False) -> tuple[Any, Path]:
    from otel_stdlib import OTelQueueHandler
    from otel_stdlib.handlers import JSONLFileHandler

    output = folder / "out.jsonl"
    # The spool's cap is far above what a burst leaves behind; shedding would be a dropped record.
    handler = OTelQueueHandler(
        handlers=[JSONLFileHandler(filename=str(output))],
        spool={"directory": str(folder / "spool")},
        shutdown_timeout=60.0,
        fast_records=fast,
    )
    return handler, output


def _own(folder: Path, fast: bool, *filters: logging.Filter) -> Contestant:
    handler, output = _own_handler(folder, fast)
    for each in filters:
        handler.addFilter(each)
    return Contestant(
        _stdlib_call(_logger(handler)), lambda: handler.stop(60.0), lambda: handler.flush(60.0), output
    )


def _own_trace() -> None:
    from otel_stdlib import SpanContext, attach

    attach(SpanContext(_TRACE_ID, _SPAN_ID))


def _current_span() -> None:
    from opentelemetry import context, trace

    span = trace.NonRecordingSpan(
        trace.SpanContext(
            int(_TRACE_ID, 16), int(_SPAN_ID, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
        )
    )
    context.attach(trace.set_span_in_context(span))


def own(folder: Path, fast: bool = False) -> Contestant:
    """This package, with a trace of its own context."""
    _own_trace()
    return _own(folder, fast)


def own_span(folder: Path, fast: bool = False) -> Contestant:
    """This package, with a current span of opentelemetry-api."""
    _current_span()
    return _own(folder, fast)


def own_filter(folder: Path, fast: bool = False) -> Contestant:
    """This package, with ``TraceContextFilter`` on its handler."""
    from otel_stdlib.filters import TraceContextFilter

    _own_trace()
    return _own(folder, fast, TraceContextFilter())


CONTESTANTS: dict[str, Callable[[Path], Contestant]] = {
    "null": null,
    "null-fast": null_fast,
    "file": file_pjl,
    "queue": queue_pjl,
    "structlog": structlog_file,
    "loguru": loguru_enqueue,
    "otel-sdk": otel_sdk,
    "picologging": picologging_file,
    "own": own,
    "own-span": own_span,
    "own-filter": own_filter,
    "own-fast": partial(own, fast=True),
    "own-span-fast": partial(own_span, fast=True),
    "own-filter-fast": partial(own_filter, fast=True),
}

LABELS = {
    "null": "`NullHandler`",
    "null-fast": "`NullHandler` with `fast_log_record`",
    "file": "FileHandler + python-json-logger",
    "queue": "stdlib QueueHandler + python-json-logger (orjson)",
    "structlog": "structlog + orjson to a file",
    "loguru": "loguru serialize + enqueue",
    "otel-sdk": "OpenTelemetry SDK handler + batch",
    "picologging": "picologging to a file, text",
    "own": "**otel_stdlib**, own trace",
    "own-span": "**otel_stdlib**, opentelemetry-api span",
    "own-filter": "**otel_stdlib**, TraceContextFilter",
    "own-fast": "**otel_stdlib**, own trace, `fast_records`",
    "own-span-fast": "**otel_stdlib**, opentelemetry-api span, `fast_records`",
    "own-filter-fast": "**otel_stdlib**, TraceContextFilter, `fast_records`",
}
