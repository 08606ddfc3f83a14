"""One tenant's index takes nothing: the others' records do not wait, and its own are stored once in the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import ElasticsearchHandler
from tests.handlers.elasticsearch.helpers import (
    QUICK,
    ListSource,
    destination,
    make_frame,
    stored_ids,
    working,
)
from tests.servers.elasticsearch import Elasticsearch
from tests.support import eventually

Step = Callable[[Elasticsearch, str], None]


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Step:
    """One request; the index's name is put in."""

    def do(server: Elasticsearch, index: str) -> None:
        answer = server.request(method, path.format(index=index), body)
        assert answer.status == 200, answer

    return do


def block(name: str, value: bool | None) -> Step:
    """Set or lift a block of the index."""
    return ask("PUT", "/{index}/_settings", {f"index.blocks.{name}": value})


#: What makes an index take nothing, and what lifts it.
STATES: dict[str, tuple[Step, Step]] = {
    "write": (block("write", True), block("write", None)),
    "read_only_allow_delete": (block("read_only_allow_delete", True), block("read_only_allow_delete", None)),
    "closed": (ask("POST", "/{index}/_close"), ask("POST", "/{index}/_open")),
    "missing pipeline": (
        ask("PUT", "/{index}/_settings", {"index.default_pipeline": "nothing-of-that-name"}),
        ask("PUT", "/{index}/_settings", {"index.default_pipeline": "_none"}),
    ),
}
#: The server lifts it by itself at some time, where its disk has room.
LIFTED_BY_THE_SERVER = "read_only_allow_delete"


def log(source: ListSource, start: int, count: int) -> None:
    """Records of two tenants, in turn."""
    source.add([make_frame(n, n=n, tenant=("acme", "bolt")[n % 2]) for n in range(start, start + count)])


@pytest.mark.parametrize("state", STATES)
def test_one_index_takes_nothing(
    elasticsearch_server: Elasticsearch, index: str, tmp_path: Path, state: str
) -> None:
    """However many records come meanwhile; nothing is a dead letter, and no record is sent twice."""
    server = elasticsearch_server
    shut, lift = STATES[state]
    source = ListSource()
    log(source, 0, 20)
    target = destination(server.url, index_pattern=f"{index}-{{tenant}}", max_workers=2, batch_records=50)
    dead = tmp_path / "dead.jsonl"
    with working(target, source, dead=dead) as worker:
        eventually(lambda: source.cursor == source.head(), 60)
        shut(server, f"{index}-acme")
        log(source, 20, 400)
        eventually(lambda: len(stored_ids(server, f"{index}-bolt")) == 210, 60)
        log(source, 420, 80)
        eventually(lambda: len(stored_ids(server, f"{index}-bolt")) == 250, 60)
        report = worker.snapshot()
        if state != LIFTED_BY_THE_SERVER:
            assert report["sent"] == 260, "10 of the other one from before"
            assert source.cursor <= source.frames[20].lsn, "a kill now loses nothing"
            assert report["failing"]
            assert report["circuit_breaker"] == "closed"
        assert "others are delivered" in report["last_error"]
        lift(server, f"{index}-acme")
        eventually(lambda: source.cursor == source.head(), 60)
        report = worker.snapshot()
        assert (report["sent"], report["duplicates"], report["rejected"]) == (500, 0, 0)
    found = stored_ids(server, f"{index}-acme") + stored_ids(server, f"{index}-bolt")
    assert sorted(found) == sorted(source.uids())
    assert not dead.exists() or not dead.read_bytes()


def test_what_waits_is_in_health_and_the_next_process_has_it(
    elasticsearch_server: Elasticsearch, index: str, tmp_path: Path
) -> None:
    """Accepted = delivered + waiting; a handler that is closed meanwhile leaves what waits in the spool."""
    server = elasticsearch_server
    options: dict[str, Any] = {
        "hosts": [server.url],
        "index_pattern": f"{index}-{{tenant}}",
        "spool": {"directory": str(tmp_path / "spool")},
        **QUICK,
    }
    handler = ElasticsearchHandler(**options)
    logger = logging.Logger("tenants", logging.INFO)
    logger.addHandler(handler)
    logger.info("first", extra={"tenant": "acme"})
    assert handler.flush(60)
    block("write", True)(server, f"{index}-acme")
    for number in range(100):
        logger.info("%d", number, extra={"tenant": ("acme", "bolt")[number % 2]})

    def told(name: str) -> Any:
        return handler.health()["destinations"]["elasticsearch"][name]

    eventually(lambda: told("sent") == 51, 60)
    eventually(lambda: told("lag_records") == 50)
    assert told("failing")
    assert not handler.flush(0.1)
    assert not handler.stop(5)
    logger.removeHandler(handler)
    block("write", None)(server, f"{index}-acme")
    handler = ElasticsearchHandler(**options)
    logger.addHandler(handler)
    try:
        logger.info("last", extra={"tenant": "bolt"})
        eventually(lambda: len(stored_ids(server, f"{index}-acme")) == 51, 60)
        assert handler.flush(60)
        assert len(stored_ids(server, f"{index}-bolt")) == 51
    finally:
        handler.stop(10)
