"""States of the cluster, by the real server: each row of the table of answers that it can be brought to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_stdlib.handlers.elasticsearch.lookup import stored_ids as looked_up
from tests.handlers.elasticsearch.helpers import (
    ListSource,
    destination,
    make_batch,
    make_frame,
    stored_ids,
    working,
)
from tests.proof.answers import LETTER, STORED, WAITS, rows_of
from tests.servers.elasticsearch import Elasticsearch
from tests.support import eventually

ROWS = rows_of("Elasticsearch")
INTEGER = {"properties": {"attributes": {"properties": {"n": {"type": "integer"}}}}}


def nothing(server: Elasticsearch, index: str) -> None:
    """There is nothing to set up or to repair."""


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Callable[[Elasticsearch, str], None]:
    """One request; the index's name is put in."""

    def do(server: Elasticsearch, index: str) -> None:
        answer = server.request(method, path.format(index=index), body)
        assert answer.status == 200, answer

    return do


def each(*steps: Callable[[Elasticsearch, str], None]) -> Callable[[Elasticsearch, str], None]:
    """Several."""

    def do(server: Elasticsearch, index: str) -> None:
        for step in steps:
            step(server, index)

    return do


def alias(*, written: bool) -> Callable[[Elasticsearch, str], None]:
    """An alias for two indices."""

    def do(server: Elasticsearch, index: str) -> None:
        actions = [
            {
                "add": {
                    "index": f"{index}-{n}",
                    "alias": index,
                    **({"is_write_index": n == 2} if written else {}),
                }
            }
            for n in (1, 2)
        ]
        assert server.request("POST", "/_aliases", {"actions": actions}).status == 200

    return do


def settings(**values: Any) -> Callable[[Elasticsearch, str], None]:
    """Settings of the index."""
    return ask(
        "PUT", "/{index}/_settings", {name.replace("__", "."): value for name, value in values.items()}
    )


def shards(most: int | None) -> Callable[[Elasticsearch, str], None]:
    """The cluster's limit of shards."""
    return ask("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": most}})


class State(NamedTuple):
    """How a state begins and ends."""

    begin: Callable[[Elasticsearch, str], None]
    end: Callable[[Elasticsearch, str], None]


MADE = ask("PUT", "/{index}")
STATES = {
    "shard_limit": State(each(ask("PUT", "/{index}-filler"), shards(1)), shards(None)),
    "closed": State(each(MADE, ask("POST", "/{index}/_close")), ask("POST", "/{index}/_open")),
    "alias": State(
        each(ask("PUT", "/{index}-1"), ask("PUT", "/{index}-2"), alias(written=False)), alias(written=True)
    ),
    "pipeline_gone": State(
        each(MADE, settings(index__default_pipeline="gone")), settings(index__default_pipeline="_none")
    ),
    "read_only": State(each(MADE, settings(index__blocks__write=True)), settings(index__blocks__write=False)),
    "strict": State(
        ask(
            "PUT",
            "/{index}",
            {"mappings": {"dynamic": "strict", "properties": {"@timestamp": {"type": "date"}}}},
        ),
        ask("PUT", "/{index}/_mapping", {"dynamic": True}),
    ),
}


@pytest.mark.parametrize("key", STATES)
def test_records_wait_for_the_cluster(
    elasticsearch_server: Elasticsearch,
    index: str,
    tmp_path: Path,
    key: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No record is given up, the breaker opens, it is reported; afterwards all are stored once."""
    row, state = ROWS[key], STATES[key]
    assert row.happens == WAITS
    source = ListSource([make_frame(n, n=n) for n in range(200)])
    target = destination(elasticsearch_server.url, index_pattern=index, template=False)
    state.begin(elasticsearch_server, index)
    try:
        with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
            source.add([make_frame(n, n=n) for n in range(200, 250)])
            snapshot = worker.snapshot()
            assert snapshot["failing"]
            assert row.reported in snapshot["last_error"]
            assert not worker.flush({source: source.head()}, 0.2)  # type: ignore[dict-item]
            state.end(elasticsearch_server, index)
            eventually(lambda: source.cursor >= source.head(), 60)
            assert worker.snapshot()["rejected"] == 0
            eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed")
    finally:
        if key == "shard_limit":
            state.end(elasticsearch_server, index)
    assert source.uids() == stored_ids(elasticsearch_server, index)
    assert not (tmp_path / "dead.jsonl").exists()
    assert row.reported in capsys.readouterr().err


BAD = {"bad_among_good": range(100, 101), "bad_run": range(1_000)}


@pytest.mark.parametrize("key", BAD)
def test_bad_records_do_not_stop_the_others(
    elasticsearch_server: Elasticsearch, index: str, tmp_path: Path, key: str
) -> None:
    """They become dead letters; the good ones are stored once."""
    row = ROWS[key]
    assert row.happens == LETTER
    assert elasticsearch_server.request("PUT", f"/{index}", {"mappings": INTEGER}).status == 200
    bad = BAD[key]
    source = ListSource([make_frame(n, n="bad" if n in bad else n) for n in range(max(200, len(bad)))])
    target = destination(elasticsearch_server.url, index_pattern=index, template=False, batch_records=100)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        if key == "bad_run":
            eventually(lambda: worker.snapshot()["failing"], 60)
            source.add([make_frame(1_000, n=1)])
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == len(bad)
        assert worker.snapshot()["circuit_breaker"] == "closed"
    good = [uid for n, uid in enumerate(source.uids()) if n not in bad]
    assert good == stored_ids(elasticsearch_server, index)
    letters = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert len(letters) == len(bad)
    assert row.reported in letters[0]


def old_index(server: Elasticsearch, stream: str) -> str:
    """Roll the stream over; the name of its first backing index."""
    assert server.request("POST", f"/{stream}/_rollover").status == 200
    name = server.request("GET", f"/_data_stream/{stream}").body["data_streams"][0]["indices"][0][
        "index_name"
    ]
    return str(name)


STREAMS: dict[str, Callable[[Elasticsearch, str], None]] = {
    "stream_closed": ask("POST", "/{index}/_close"),
    "stream_window": settings(index__max_result_window=10),
    "stream_read_block": settings(index__blocks__read=True),
}


@pytest.mark.parametrize("key", STREAMS)
def test_a_new_process_delivers_to_a_stream_with_an_odd_old_index(
    elasticsearch_server: Elasticsearch,
    index: str,
    tmp_path: Path,
    key: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The look-up before a spool's first batch finds what it can, and holds nothing up."""
    row = ROWS[key]
    assert row.happens == STORED
    dataset = index.replace("-", "_")
    stream = f"logs-{dataset}-default"
    first = ListSource([make_frame(n, n=n) for n in range(300)])
    for turn in range(2):
        target = destination(elasticsearch_server.url, data_stream={"dataset": dataset})
        second = ListSource([make_frame(n, n=n) for n in range(300)])
        # In the second turn the first spool comes again, as after a kill.
        first.cursor = 0
        with working(target, second, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: second.cursor >= second.head(), 60)  # noqa: B023
            assert worker.snapshot()["rejected"] == 0
        with working(target, first, dead=tmp_path / "dead.jsonl") as worker:
            eventually(lambda: first.cursor >= first.head(), 60)
            if turn and key == "stream_window":
                assert worker.snapshot()["duplicates"] == 300
        if not turn:
            STREAMS[key](elasticsearch_server, old_index(elasticsearch_server, stream))
    if row.reported:
        assert row.reported in capsys.readouterr().err


RECORDS: dict[str, dict[str, Any]] = {
    "nul_in_body": {"message": {"a\0b": 1, "c": {"\0": "x"}}},
    "nul_in_attribute": {"message": "hello", "a\0b": 1, "deep": {"x\0": [{"\0y": 2}]}},
    "long_key": {"message": {"k" * 40_000: 1}, "deep": {"l" * 40_000: 1}},
    "before_1970": {"message": "hello", "at": -86_400.5},
    "after_2262": {"message": "hello", "at": 100_000_000_000.0},
}


@pytest.mark.parametrize("stream", [True, False], ids=["data stream", "index"])
@pytest.mark.parametrize(
    "more", [{}, {"attributes": "flattened"}, {"mapping": "ecs"}], ids=["otel", "flattened", "ecs"]
)
@pytest.mark.parametrize("key", RECORDS)
def test_odd_records_are_stored(
    elasticsearch_server: Elasticsearch, index: str, key: str, more: dict[str, str], *, stream: bool
) -> None:
    """In every shape of document and of index."""
    assert ROWS[key].happens == STORED
    naming: dict[str, Any] = (
        {"data_stream": {"dataset": index.replace("-", "_")}} if stream else {"index_pattern": index}
    )
    target = destination(elasticsearch_server.url, **naming, **more)
    source = ListSource([make_frame(0, **RECORDS[key]), make_frame(1, "after it")])
    target.open()
    assert target.deliver(make_batch(source.frames, source.origin)) is None
    pattern = target._options.naming.pattern
    assert target._wire is not None
    if stream:
        assert looked_up(target._wire, pattern, source.uids()) == frozenset(source.uids())
    else:
        assert source.uids() == stored_ids(elasticsearch_server, pattern)
    assert target.counters.get("repaired") == (0 if key == "long_key" else 1)
    target.close()
