"""The loggers that the proof kills, each behind the same small interface.

``setup`` runs in a writer's process and gives the call that logs one record; ``recover`` runs in
a fresh process after the kill and delivers what the dead ones left, where the logger can.
"""

from __future__ import annotations

import logging
import logging.config
import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["LOGGERS", "Adapter", "Log"]

#: Logs one text.
Log = Callable[[str], None]


class Adapter(NamedTuple):
    """One logger under proof."""

    label: str
    #: Folder, bytes after which to rotate (0: never) -> the log call.
    setup: Callable[[Path, int], Log]
    #: Deliver what dead processes left; returns when there is nothing more.
    recover: Callable[[Path], None]
    #: Whether writers may share one rotating file and fork while they log. A logger that is not
    #: made for it gets one file a process and no forks: the easier task.
    shared: bool = False
    #: Writers are killed within this many seconds. Buffers that empty themselves every second or two
    #: get the time to have done so.
    kill_within: float = 3.0


def output_files(folder: Path) -> Iterator[Path]:
    """Every file with delivered lines, rotated ones too."""
    yield from sorted(p for p in folder.glob("out*") if p.is_file())


def _own_config(folder: Path, max_bytes: int) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "file": {
                "class": "otel_stdlib.handlers.JSONLFileHandler",
                "filename": str(folder / "out.jsonl"),
                "max_bytes": max_bytes,
                "backup_count": 100_000,
            },
            "queue": {
                "()": "otel_stdlib.OTelQueueHandler",
                "handlers": ["file"],
                "spool": {"directory": str(folder / "spool"), "segment_bytes": 1 << 20},
            },
        },
        "root": {"level": "INFO", "handlers": ["queue"]},
    }


def _own_setup(folder: Path, max_bytes: int) -> Log:
    logging.config.dictConfig(_own_config(folder, max_bytes))
    return logging.getLogger("proof").info


def _own_recover(folder: Path) -> None:
    logging.config.dictConfig(_own_config(folder, 0))
    (handler,) = (h for h in logging.getLogger().handlers if hasattr(h, "pipeline"))
    handler.start()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 40.0
    while _spools(folder / "spool") > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    handler.stop(10.0)  # type: ignore[attr-defined]


def _spools(root: Path) -> int:
    """How many spools lie in a folder, the one of this process among them."""
    return sum(len(name) == 26 for name in os.listdir(root)) if root.is_dir() else 0


def _own_file(folder: Path) -> Path:
    return folder / f"out-{os.getpid()}.jsonl"


def _no_recovery(folder: Path) -> None:
    return


def _json_handler(folder: Path) -> logging.Handler:
    from pythonjsonlogger.orjson import OrjsonFormatter

    handler = logging.FileHandler(_own_file(folder))
    handler.setFormatter(OrjsonFormatter(("levelname", "name", "message")))
    return handler


def _root(handler: logging.Handler) -> Log:
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return logging.getLogger("proof").info


def _file_setup(folder: Path, max_bytes: int) -> Log:
    return _root(_json_handler(folder))


def _queue_setup(folder: Path, max_bytes: int) -> Log:
    from logging.handlers import QueueHandler, QueueListener

    records: queue.Queue[Any] = queue.Queue(-1)
    QueueListener(records, _json_handler(folder)).start()
    return _root(QueueHandler(records))


def _loguru_setup(folder: Path, max_bytes: int) -> Log:
    from loguru import logger

    logger.remove()
    logger.add(_own_file(folder), serialize=True, enqueue=True, level="INFO")
    return logger.info


def _otel_setup(folder: Path, max_bytes: int) -> Log:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs import export as exporters

    out = _own_file(folder).open("w", encoding="utf-8")
    kind: Any = getattr(exporters, "ConsoleLogRecordExporter", None) or exporters.ConsoleLogExporter
    exporter = kind(out=out, formatter=lambda data: data.to_json(indent=None) + "\n")
    provider = LoggerProvider()
    provider.add_log_record_processor(exporters.BatchLogRecordProcessor(exporter))
    return _root(LoggingHandler(level=logging.INFO, logger_provider=provider))


class FileTransport:
    """A transport of python-logstash-async that appends events to a file instead of sending them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: list[bytes], **_: Any) -> None:
        """Append each event as a line."""
        lines = b"".join((e.encode() if isinstance(e, str) else e).rstrip(b"\n") + b"\n" for e in events)
        with self._path.open("ab") as out:
            out.write(lines)

    def close(self) -> None:
        """Nothing stays open."""


def _logstash_handler(folder: Path, database: Path) -> Any:
    from logstash_async.formatter import LogstashFormatter
    from logstash_async.handler import AsynchronousLogstashHandler

    transport: Any = FileTransport(_own_file(folder))
    handler = AsynchronousLogstashHandler("localhost", 1, str(database), transport=transport)
    handler.setFormatter(LogstashFormatter())
    return handler


def _logstash_setup(folder: Path, max_bytes: int) -> Log:
    return _root(_logstash_handler(folder, folder / f"events-{os.getpid()}.db"))


def _logstash_recover(folder: Path) -> None:
    for database in sorted(folder.glob("events-*.db")):
        handler = _logstash_handler(folder, database)
        log = _root(handler)
        log("recover")
        handler.flush()
        handler.close()
        # One worker serves the whole process (a class attribute); the next database needs a new one.
        type(handler)._worker_thread = None


LOGGERS = {
    "own": Adapter("otel_stdlib", _own_setup, _own_recover, shared=True, kill_within=0.15),
    "file": Adapter("FileHandler + python-json-logger (no buffer)", _file_setup, _no_recovery),
    "queue": Adapter("stdlib QueueHandler + python-json-logger", _queue_setup, _no_recovery),
    "loguru": Adapter("loguru serialize + enqueue", _loguru_setup, _no_recovery),
    "otel-sdk": Adapter("OpenTelemetry SDK handler + batch", _otel_setup, _no_recovery),
    "logstash-async": Adapter("python-logstash-async (SQLite buffer)", _logstash_setup, _logstash_recover),
}
