"""The records of the PostgreSQL benchmark, and the ways to store them that the handler is compared with."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from typing import Any

from otel_stdlib import OTelFormatter, SpanContext, attach
from otel_stdlib.delivery.contract import Origin
from otel_stdlib.handlers.postgres import PostgresOptions
from otel_stdlib.handlers.postgres.columns import STANDARD
from otel_stdlib.handlers.postgres.rows import RowEncoder
from otel_stdlib.handlers.postgres.shape import ColumnInfo, TableShape
from otel_stdlib.spool.frame import Frame

__all__ = [
    "OFFSET",
    "Rows",
    "Way",
    "burst",
    "copy",
    "copy_through_stage",
    "copy_with_offset",
    "insert",
    "ready_rows",
]

_BATCH = PostgresOptions.batch_records
_COLUMNS = "timestamp, severity_text, severity_number, body, trace_id, span_id, resource, attributes"
OFFSET = "bench_offset"

Rows = list[bytes]
Way = Callable[[Any, Rows], None]


def _span(number: int) -> SpanContext:
    """Every ten records belong to one span, each in a trace of its own."""
    return SpanContext(
        f"{(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}", f"{number + 1:016x}"
    )


def burst(logger: logging.Logger, records: int, times: list[int] | None = None) -> None:
    """Log so many records; the nanoseconds of each call go to ``times``."""
    clock = time.perf_counter_ns
    for number in range(records):
        if number % 10 == 0:
            attach(_span(number // 10))
        begin = clock() if times is not None else 0
        logger.info("order %d placed", number, extra={"order": number, "customer": "u-4711", "total": 12.5})
        if times is not None:
            times.append(clock() - begin)
    attach(None)


def ready_rows(records: int) -> Rows:
    """The rows that the handler makes of the same records, as the COPY text of batches."""
    logger, formatter = logging.Logger("benchmark.postgres"), OTelFormatter()
    frames: list[Frame] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            payload, severity, time_ns = formatter.encoder.encode(record) or (b"", 0, 0)
            frames.append(Frame(len(frames) * 512, time_ns, record.levelno, severity, payload))

    logger.addHandler(Keep())
    burst(logger, records)
    text = dict.fromkeys(STANDARD, ColumnInfo("text"))
    encoder = RowEncoder(TableShape(text), Origin("0" * 26, formatter.resource().json))
    batches = [frames[start : start + _BATCH] for start in range(0, records, _BATCH)]
    return [b"".join(map(encoder.row, batch)) for batch in batches]


def copy(session: Any, batches: Rows) -> None:
    """psycopg2's COPY into the table, one commit a batch."""
    with session.cursor() as cursor:
        for batch in batches:
            cursor.copy_expert(f"COPY bench ({_COLUMNS}) FROM STDIN", io.BytesIO(batch), 128 << 10)
            session.commit()


def copy_with_offset(session: Any, batches: Rows) -> None:
    """The same with an offset row, locked first and moved last."""
    with session.cursor() as cursor:
        for number, batch in enumerate(batches):
            cursor.execute("SELECT lsn FROM bench_offsets WHERE spool_id = %s FOR UPDATE", (OFFSET,))
            cursor.copy_expert(f"COPY bench ({_COLUMNS}) FROM STDIN", io.BytesIO(batch), 128 << 10)
            cursor.execute("UPDATE bench_offsets SET lsn = %s WHERE spool_id = %s", (number, OFFSET))
            session.commit()


def copy_through_stage(session: Any, batches: Rows) -> None:
    """COPY into a temporary table, then into the table unless the uid is there."""
    with session.cursor() as cursor:
        for batch in batches:
            cursor.execute("CREATE TEMP TABLE bench_stage (LIKE bench INCLUDING DEFAULTS) ON COMMIT DROP")
            cursor.copy_expert(f"COPY bench_stage ({_COLUMNS}) FROM STDIN", io.BytesIO(batch), 128 << 10)
            cursor.execute(
                f"INSERT INTO bench ({_COLUMNS}) SELECT {_COLUMNS} FROM bench_stage ON CONFLICT DO NOTHING"
            )
            session.commit()


def insert(session: Any, batches: Rows) -> None:
    """INSERT and commit for each record; ``batches`` holds one of them."""
    rows = [line.split(b"\t") for line in batches[0].splitlines()]
    sql = f"INSERT INTO bench ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
    with session.cursor() as cursor:
        for row in rows:
            cursor.execute(sql, [field.decode().replace("\\\\", "\\") for field in row])
            session.commit()
