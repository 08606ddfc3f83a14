"""Elasticsearch end to end: ``python -m benchmarks.elasticsearch [--url URL] [--records N] [--rounds N]``.

Without a URL a server of the tests is started. Prints three comparisons, each made in one run:

- records per second from the first log call until the last one is stored, beside the client's own
  ``streaming_bulk`` with the same documents, ready-made, and the same batch size;
- the same beside one ``index()`` call per record (of which a sample is taken);
- the cost of a log call while the server is up, down and deaf.
"""

from __future__ import annotations

import argparse
import logging
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import elasticsearch
import elasticsearch.helpers

from benchmarks.report import RESULTS, command_line, machine, table, write_section
from otel_stdlib.handlers import ElasticsearchHandler

__all__ = ["main"]

_BATCH = 1_000
_SAMPLE = 1_000
_CALLS = 20_000


@contextmanager
def _handler(url: str, index: str, **options: Any) -> Iterator[tuple[logging.Logger, ElasticsearchHandler]]:
    """A logger of its own with the handler straight on it, its spool in a folder of its own."""
    # Not in /tmp, which is open to everyone: the spool would be in memory.
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        handler = ElasticsearchHandler(
            hosts=[url], index_pattern=index, batch_records=_BATCH, spool={"directory": folder}, **options
        )
        logger = logging.Logger(f"benchmark.{index}", logging.INFO)
        logger.addHandler(handler)
        try:
            yield logger, handler
        finally:
            handler.stop(1.0)


def _burst(logger: logging.Logger, records: int) -> None:
    for number in range(records):
        logger.info("order %d placed", number, extra={"order": number, "user": "u-4711", "total": 12.5})


def ours(url: str, client: elasticsearch.Elasticsearch, index: str, records: int) -> float:
    """Records per second through the handler, counted at the end."""
    with _handler(url, index) as (logger, handler):
        begin = time.perf_counter()
        _burst(logger, records)
        if not handler.flush(600):
            raise RuntimeError(f"not delivered: {handler.health()}")
        seconds = time.perf_counter() - begin
    client.indices.refresh(index=index)
    count = client.count(index=index)["count"]
    if count != records:
        raise RuntimeError(f"{count} of {records} records are stored")
    return records / seconds


def documents(client: elasticsearch.Elasticsearch, index: str) -> list[dict[str, Any]]:
    """What the handler stored: the same documents for the others."""
    found = elasticsearch.helpers.scan(client, index=index, size=5_000)
    return [{"_id": hit["_id"], "_source": hit["_source"]} for hit in found]


def streaming_bulk(client: elasticsearch.Elasticsearch, index: str, ready: list[dict[str, Any]]) -> float:
    """Records per second through the client's helper."""
    actions = [{"_op_type": "create", "_index": index, **document} for document in ready]
    begin = time.perf_counter()
    for good, item in elasticsearch.helpers.streaming_bulk(client, actions, chunk_size=_BATCH):
        if not good:
            raise RuntimeError(str(item))
    return len(actions) / (time.perf_counter() - begin)


def one_by_one(client: elasticsearch.Elasticsearch, index: str, ready: list[dict[str, Any]]) -> float:
    """Records per second with one request for each."""
    begin = time.perf_counter()
    for document in ready[:_SAMPLE]:
        client.index(index=index, id=document["_id"], op_type="create", document=document["_source"])
    return len(ready[:_SAMPLE]) / (time.perf_counter() - begin)


def call_cost(url: str, index: str) -> tuple[float, float]:
    """Mean and median of a log call, in microseconds."""
    times: list[int] = []
    clock = time.perf_counter_ns
    with _handler(url, index, timeout=5.0) as (logger, _):
        _burst(logger, 2_000)
        for number in range(_CALLS):
            begin = clock()
            logger.info("order %d placed", number, extra={"order": number, "user": "u-4711", "total": 12.5})
            times.append(clock() - begin)
    return statistics.fmean(times) / 1e3, statistics.median(times) / 1e3


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    from tests.servers.elasticsearch import Elasticsearch

    with Elasticsearch(heap="1g") as node:
        yield node.url


@contextmanager
def _deaf() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _down() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _throughput(url: str, records: int, rounds: int) -> str:
    client = elasticsearch.Elasticsearch(url, request_timeout=60)
    prefix = f"benchmark-{uuid.uuid4().hex[:8]}"
    ours(url, client, f"{prefix}-warm", 10_000)
    streaming_bulk(client, f"{prefix}-warm-bulk", documents(client, f"{prefix}-warm"))
    rates: dict[str, list[float]] = {"handler": [], "streaming_bulk": [], "index()": []}
    ready: list[dict[str, Any]] = []
    # One template per index name, so that all have the same mapping: the handler's.
    for number in range(rounds):
        rates["handler"].append(ours(url, client, f"{prefix}-{number}", records))
        ready = ready or documents(client, f"{prefix}-{number}")
        template = client.indices.get_index_template(name=f"otel_stdlib-{prefix}-{number}")
        body = dict(template["index_templates"][0]["index_template"]["template"])
        for name, measure in (("streaming_bulk", streaming_bulk), ("index()", one_by_one)):
            index = f"{prefix}-{number}-{name.strip('()')}"
            client.indices.create(index=index, settings=body["settings"], mappings=body["mappings"])
            rates[name].append(measure(client, index, ready))
        for index in client.indices.get(index=f"{prefix}-*"):
            client.indices.delete(index=index)
    median = {name: statistics.median(found) for name, found in rates.items()}
    rows = [[f"`{name}`", f"{rate:,.0f}", f"{median['handler'] / rate:.2f}"] for name, rate in median.items()]
    client.indices.delete_index_template(name=f"otel_stdlib-{prefix}*")
    client.close()
    return table(["end to end", "records/s", "handler's ratio"], rows)


def _costs(url: str, rounds: int) -> str:
    found: dict[str, list[tuple[float, float]]] = {"up": [], "down": [], "deaf": []}
    with _deaf() as deaf:
        for number in range(rounds):
            places = {"up": url, "down": _down(), "deaf": deaf}
            for state, place in places.items():
                found[state].append(call_cost(place, f"benchmark-cost-{number}"))
    means = {state: statistics.median(mean for mean, _ in costs) for state, costs in found.items()}
    middles = {state: statistics.median(middle for _, middle in costs) for state, costs in found.items()}
    rows = [
        [
            f"server {state}",
            f"{means[state]:.2f}",
            f"{means[state] / means['up']:.2f}",
            f"{middles[state]:.2f}",
            f"{middles[state] / middles['up']:.2f}",
        ]
        for state in found
    ]
    return table(["one log call", "mean µs", "× up", "p50 µs", "× up"], rows)


def main() -> None:
    """Run and print everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="a server without security; default: one is started")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    given = parser.parse_args()
    with _server(given.url) as url:
        text = f"{_throughput(url, given.records, given.rounds)}\n\n{_costs(url, given.rounds)}"
    facts = (
        f"`{command_line('benchmarks.elasticsearch')}`: {given.records:,} records, batches of {_BATCH:,}, a real "
        f"server on the same cores, medians of {given.rounds} rounds. {machine(('elasticsearch', 'orjson'))}"
    )
    print(f"{text}\n\n{facts}")
    if given.write:
        write_section(RESULTS, "elasticsearch", f"## Elasticsearch\n\n{text}\n\n{facts}")


if __name__ == "__main__":
    main()
