"""PostgreSQL end to end: ``python -m benchmarks.postgres [--dsn DSN] [--records N] [--rounds N] [--write]``.

Without a DSN a server of the tests is started. Every way gets a new, empty table with the same
indices, in turn, in one run. Prints the medians of the rounds:

- records per second from the first log call until the last one is stored, and of delivery alone,
  beside COPY of the same rows, ready-made, with a commit per batch of the same size, and beside
  INSERT and commit per record (a sample);
- what exactly once costs: COPY with a fenced offset row, a unique index, a stage with ON CONFLICT;
- the cost of a log call while the server is up, down and deaf.
"""

from __future__ import annotations

import argparse
import logging
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.own import anonymous_bytes
from benchmarks.postgres_ways import (
    OFFSET,
    Rows,
    Way,
    burst,
    copy,
    copy_through_stage,
    copy_with_offset,
    insert,
    ready_rows,
)
from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib.handlers import PostgresHandler
from otel_stdlib.handlers.postgres import PostgresDestination, PostgresOptions

__all__ = ["main"]

_SAMPLE = 1_000
_CALLS = 20_000
_BURSTS = 6
_UID = "attributes ->> 'log.record.uid'"


@contextmanager
def _handler(dsn: str, **options: Any) -> Iterator[tuple[logging.Logger, PostgresHandler]]:
    """A logger of its own with the handler straight on it, its spool in a folder of its own."""
    # Not in /tmp, which is open to everyone: the spool would be in memory.
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        handler = PostgresHandler(dsn=dsn, table_name="bench", spool={"directory": folder}, **options)
        logger = logging.Logger("benchmark.postgres", logging.INFO)
        logger.addHandler(handler)
        try:
            yield logger, handler
        finally:
            handler.stop(1.0)


def _new_table(session: Any, dsn: str) -> None:
    """The handler's own table, empty, and nothing waiting to be written from what was before."""
    session.cursor().execute("DROP TABLE IF EXISTS bench, bench_offsets, bench_stage CASCADE")
    session.commit()
    target = PostgresDestination(PostgresOptions(dsn=dsn, table_name="bench"))
    target.open()
    target.close()
    session.cursor().execute("CHECKPOINT")
    session.commit()


def _count(session: Any, records: int) -> None:
    with session.cursor() as cursor:
        cursor.execute(f"SELECT count(*), count(DISTINCT {_UID}) FROM bench")
        found = cursor.fetchone()
    session.commit()
    if found != (records, records):
        raise RuntimeError(f"{found} of {records} records are stored")


def end_to_end(session: Any, dsn: str, records: int) -> float:
    """Seconds from the first log call until everything is stored."""
    _new_table(session, dsn)
    with _handler(dsn, create_table=False) as (logger, handler):
        handler.start()
        begin = time.perf_counter()
        burst(logger, records)
        if not handler.flush(600):
            raise RuntimeError(f"not delivered: {handler.health()}")
        seconds = time.perf_counter() - begin
    _count(session, records)
    return seconds


def delivery(session: Any, dsn: str, records: int) -> float:
    """Seconds to deliver what waits in the spool: a lock on the offsets keeps it there while it is logged."""
    _new_table(session, dsn)
    with _handler(dsn, create_table=False) as (logger, handler):
        # The first record is delivered before: upkeep, which comes with it, would meet the lock.
        burst(logger, 1)
        handler.flush(600)
        session.cursor().execute("LOCK TABLE bench_offsets IN ACCESS EXCLUSIVE MODE")
        burst(logger, records)
        begin = time.perf_counter()
        session.commit()
        if not handler.flush(600):
            raise RuntimeError(f"not delivered: {handler.health()}")
        seconds = time.perf_counter() - begin
    _count(session, records + 1)
    return seconds


def _seconds(session: Any, dsn: str, way: Way, batches: Rows, prepare: str = "SELECT 1") -> float:
    _new_table(session, dsn)
    session.cursor().execute(prepare)
    session.commit()
    begin = time.perf_counter()
    way(session, batches)
    return time.perf_counter() - begin


def _throughput(dsn: str, records: int, rounds: int) -> str:
    session = psycopg2.connect(dsn)
    end_to_end(session, dsn, 10_000)
    unique = f"CREATE UNIQUE INDEX ON bench (({_UID}))"
    offset = f"INSERT INTO bench_offsets VALUES ('{OFFSET}', 0)"
    rates: dict[str, list[float]] = {}

    def note(name: str, count: int, seconds: float) -> None:
        rates.setdefault(name, []).append(count / seconds)

    batches = ready_rows(records)
    for _ in range(rounds):
        note("handler, end to end", records, end_to_end(session, dsn, records))
        note("COPY, ready rows", records, _seconds(session, dsn, copy, batches))
        note("handler, delivery", records, delivery(session, dsn, records))
        note("COPY + offset row", records, _seconds(session, dsn, copy_with_offset, batches, offset))
        note("COPY + unique uid", records, _seconds(session, dsn, copy, batches, unique))
        note(
            "COPY + unique uid + stage", records, _seconds(session, dsn, copy_through_stage, batches, unique)
        )
        sample = [b"".join(batches[0].splitlines(keepends=True)[:_SAMPLE])]
        note("INSERT + commit", min(_SAMPLE, records), _seconds(session, dsn, insert, sample))
    base = statistics.median(rates["COPY, ready rows"])
    ours = statistics.median(rates["handler, end to end"])
    # Ways are compared within their rounds: what else the machine does changes from round to round.
    pairs = zip(rates["handler, end to end"], rates["COPY, ready rows"], strict=True)
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    rows = [
        [
            name,
            f"{statistics.median(found):,.0f}",
            f"{statistics.median(found) / base:.2f}",
            " ".join(f"{r:,.0f}" for r in found),
        ]
        for name, found in rates.items()
    ]
    times = ours / statistics.median(rates["INSERT + commit"])
    session.cursor().execute("DROP TABLE bench, bench_offsets")
    session.commit()
    session.close()
    text = table(["way", "rows/s", "× COPY", "rounds"], rows)
    return (
        f"{text}\n\nEnd to end is {ratio:.2f} × COPY of ready rows (median of the rounds' ratios) "
        f"and {times:.1f} × INSERT and commit per record."
    )


def memory(dsn: str, records: int) -> str:
    """Anonymous memory while records are logged and delivered: after the first burst, and at the end."""
    session = psycopg2.connect(dsn)
    _new_table(session, dsn)
    found: list[int] = []
    with _handler(dsn) as (logger, handler):
        for _ in range(_BURSTS):
            burst(logger, records)
            if not handler.flush(600):
                raise RuntimeError(f"not delivered: {handler.health()}")
            found.append(anonymous_bytes())
    _count(session, records * _BURSTS)
    session.close()
    shown = ", ".join(f"{size / 2**20:.1f}" for size in found)
    return f"Anonymous memory after each of {_BURSTS} bursts of {records:,} records: {shown} MiB."


def call_cost(dsn: str) -> tuple[float, float]:
    """Mean and median of a log call, in microseconds."""
    times: list[int] = []
    with _handler(dsn, statement_timeout=5.0, connect_timeout=5.0) as (logger, _):
        burst(logger, 2_000)
        burst(logger, _CALLS, times)
    return statistics.fmean(times) / 1e3, statistics.median(times) / 1e3


@contextmanager
def _deaf() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


def _down() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _costs(dsn: str, rounds: int) -> str:
    found: dict[str, list[tuple[float, float]]] = {"up": [], "down": [], "deaf": []}
    with _deaf() as deaf:
        for _ in range(rounds):
            places = {
                "up": dsn,
                "down": f"host=127.0.0.1 port={_down()} user=x dbname=x",
                "deaf": f"host=127.0.0.1 port={deaf} user=x dbname=x",
            }
            for state, place in places.items():
                found[state].append(call_cost(place))
    means = {state: statistics.median(mean for mean, _ in costs) for state, costs in found.items()}
    middles = {state: statistics.median(middle for _, middle in costs) for state, costs in found.items()}
    rows = [
        [f"server {state}", f"{means[state]:.2f}", f"{means[state] / means['up']:.2f}", f"{middles[state]:.2f}",
         f"{middles[state] / middles['up']:.2f}"]
        for state in found
    ]  # fmt: skip
    return table(["log call", "mean µs", "× up", "p50 µs", "× up"], rows)


@contextmanager
def _server(dsn: str | None) -> Iterator[str]:
    if dsn is not None:
        yield dsn
        return
    from tests.servers.postgres import Postgres

    with Postgres({"shared_buffers": "'256MB'", "max_wal_size": "'2GB'"}) as node:
        yield node.dsn


def main() -> None:
    """Run and print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dsn", help="a database to write to; default: a server is started")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    given = parser.parse_args()
    with _server(given.dsn) as dsn:
        parts = [_throughput(dsn, given.records, given.rounds), memory(dsn, given.records)]
        parts.append(_costs(dsn, given.rounds))
    parts.append(f"`{command_line('benchmarks.postgres')}`. {machine(('psycopg2-binary', 'orjson'))}")
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        write_section(RESULTS, "postgres", f"## PostgreSQL\n\n{text}")


if __name__ == "__main__":
    main()
