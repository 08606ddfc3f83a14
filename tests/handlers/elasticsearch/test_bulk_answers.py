"""Every row of the table of bulk answers, by the server itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError
from tests.handlers.elasticsearch.helpers import (
    ListSource,
    destination,
    make_batch,
    make_frame,
    make_frames,
    stored_ids,
    verdicts,
    working,
)
from tests.servers.elasticsearch import Elasticsearch
from tests.support import eventually


def strict(server: Elasticsearch, index: str, **more: Any) -> None:
    """Make an index where the attribute ``n`` is an integer and nothing else."""
    mappings = {"properties": {"attributes": {"properties": {"n": {"type": "integer"}}}}}
    assert server.request("PUT", f"/{index}", {"mappings": mappings, **more}).status == 200


def test_201_stored_then_409_duplicate(elasticsearch_server: Elasticsearch, index: str) -> None:
    """A batch is stored whole; the same batch again is nothing but duplicates."""
    target = destination(elasticsearch_server.url, index_pattern=index)
    target.open()
    batch = make_batch(make_frames(10))
    assert target.deliver(batch) is None
    assert [Verdict.DUPLICATE] * 10 == verdicts(target.deliver(batch))
    assert [batch.uid(frame) for frame in batch.frames] == stored_ids(elasticsearch_server, index)
    target.close()


def test_item_400_is_rejected_with_the_servers_reason(
    elasticsearch_server: Elasticsearch, index: str
) -> None:
    """One document that does not fit is rejected alone, and the reason says why."""
    strict(elasticsearch_server, index)
    target = destination(elasticsearch_server.url, index_pattern=index, template=False)
    frames = [make_frame(0, n=1), make_frame(1, n="many"), make_frame(2, n=3)]
    outcomes = target.deliver(make_batch(frames))
    assert [Verdict.STORED, Verdict.REJECTED, Verdict.STORED] == verdicts(outcomes)
    assert outcomes[1].reason.startswith("400 document_parsing_exception")
    assert "attributes.n" in outcomes[1].reason
    assert 'For input string: "many"' in outcomes[1].reason
    target.close()


def test_item_403_waits_with_an_alarm(
    elasticsearch_server: Elasticsearch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blocked index is retried and said once; unblocked, it takes the records."""
    strict(elasticsearch_server, index)
    block = {"index.blocks.write": True}
    assert elasticsearch_server.request("PUT", f"/{index}/_settings", block).status == 200
    target = destination(elasticsearch_server.url, index_pattern=index, template=False)
    target.name = index
    batch = make_batch(make_frames(3))
    for _ in range(2):
        outcomes = target.deliver(batch)
        assert [Verdict.RETRY] * 3 == verdicts(outcomes)
        assert "403 cluster_block_exception" in outcomes[0].reason
    lines = [line for line in capsys.readouterr().err.splitlines() if index in line]
    assert len(lines) == 1
    assert "records wait until this is repaired: 403" in lines[0]
    elasticsearch_server.request("PUT", f"/{index}/_settings", {"index.blocks.write": False})
    assert target.deliver(batch) is None
    target.close()


@pytest.mark.long
def test_item_404_waits_with_an_alarm(
    elasticsearch_node: Callable[..., Elasticsearch], index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where indices are not made automatically, records wait until somebody makes theirs."""
    node = elasticsearch_node({"action.auto_create_index": "false"}, heap="256m")
    target = destination(node.url, index_pattern=index)
    target.name = index
    target.open()
    batch = make_batch(make_frames(3))
    outcomes = target.deliver(batch)
    assert [Verdict.RETRY] * 3 == verdicts(outcomes)
    assert "404 index_not_found_exception" in outcomes[0].reason
    assert "records wait until this is repaired: 404" in capsys.readouterr().err
    node.request("PUT", f"/{index}")
    assert target.deliver(batch) is None
    target.close()


@pytest.mark.long
def test_item_429_is_retried_alone(
    elasticsearch_node: Callable[..., Elasticsearch], index: str, tmp_path: Path
) -> None:
    """A shard without room refuses its documents; those go again, the stored ones of the same request do not."""
    node = elasticsearch_node(
        {"thread_pool.write.size": "1", "thread_pool.write.queue_size": "1"}, heap="256m"
    )
    shards = {"settings": {"number_of_shards": 12, "number_of_replicas": 0}}
    assert node.request("PUT", f"/{index}", shards).status == 200
    options = {"index_pattern": index, "template": False, "batch_records": 100, "max_workers": 4}
    target = destination(node.url, **options)
    frames = make_frames(200, "x" * 300)
    # The server's own words first: one request, where some documents are stored and others are not.
    for _ in range(50):  # a server that was handed the shards' shares slowly had room for each
        refused = [o for o in target.deliver(make_batch(frames)) or () if o.verdict is Verdict.RETRY]
        if 0 < len(refused) < len(frames):
            break
    assert 0 < len(refused) < len(frames)
    assert all(outcome.reason.startswith("429 es_rejected_execution_exception") for outcome in refused)
    source = ListSource(frames)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        for round_ in range(1, 50):
            eventually(lambda: source.cursor >= source.head(), 60)
            if worker.snapshot()["retried"] > 0:
                break
            source.add([make_frame(200 * round_ + n, "x" * 300, n=n) for n in range(200)])
        snapshot = worker.snapshot()
    assert snapshot["retried"] > 0
    # A stored document that was sent again would have been answered 409.
    assert snapshot["duplicates"] == 0
    assert snapshot["rejected"] == 0
    assert set(source.uids()) <= set(stored_ids(node, index))


@pytest.mark.long
def test_item_503_is_retried_alone(elasticsearch_server: Elasticsearch, index: str, tmp_path: Path) -> None:
    """A shard without enough copies says so in its own items, in time; the other index has its documents by then."""
    lacking = f"{index}-lacking"
    copies = {"settings": {"index.write.wait_for_active_shards": "2", "number_of_replicas": 1}}
    assert elasticsearch_server.request("PUT", f"/{lacking}", copies).status == 200
    target = destination(
        elasticsearch_server.url, index_pattern=f"{index}-{{tenant}}", template=False, timeout=4
    )
    frames = [make_frame(n, n=n, tenant="lacking" if n % 2 else "well") for n in range(10)]
    outcomes = target.deliver(make_batch(frames))
    assert [Verdict.STORED, Verdict.RETRY] * 5 == verdicts(outcomes)
    assert outcomes[1].reason.startswith("503 unavailable_shards_exception")
    source = ListSource(frames)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: worker.snapshot()["retried"] >= 5, 60)
        enough = {"index.write.wait_for_active_shards": "1"}
        assert elasticsearch_server.request("PUT", f"/{lacking}/_settings", enough).status == 200
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
    assert set(source.uids()) <= set(stored_ids(elasticsearch_server, f"{index}-*"))


@pytest.mark.long
def test_request_429_is_sent_again_whole(
    elasticsearch_node: Callable[..., Elasticsearch], index: str
) -> None:
    """Short of memory the server refuses requests; less is sent at once, and everything is there once."""
    node = elasticsearch_node({"indexing_pressure.memory.limit": "24kb"}, heap="256m")
    target = destination(node.url, index_pattern=index, batch_records=200, max_workers=1)
    target.open()
    batch = make_batch(make_frames(200, "x" * 300))
    # One request with everything: more than the limit, so refused as a whole.
    with pytest.raises(RetryableError, match="answered 429: es_rejected_execution_exception"):
        target.deliver(batch)
    assert 0 == node.count(index)
    for _ in range(200):
        try:
            outcomes = target.deliver(batch)
        except RetryableError:
            continue
        if Verdict.RETRY not in verdicts(outcomes):
            break
    assert target.counters.get("pressed") > 0
    assert [batch.uid(frame) for frame in batch.frames] == stored_ids(node, index)
    target.close()


@pytest.mark.long
def test_request_413_is_split_and_a_single_document_rejected(
    elasticsearch_node: Callable[..., Elasticsearch], index: str
) -> None:
    """A request that is too large is halved until it fits; a document that never fits is rejected."""
    node = elasticsearch_node({"http.max_content_length": "64kb"}, heap="256m")
    target = destination(node.url, index_pattern=index, max_workers=1)
    target.open()
    frames = make_frames(300, "x" * 500)
    frames.insert(150, make_frame(149_5, "y" * 100_000)._replace(lsn=149_500))
    batch = make_batch(frames)
    outcomes = verdicts(target.deliver(batch))
    assert [150] == [n for n, verdict in enumerate(outcomes) if verdict is Verdict.REJECTED]
    assert outcomes.count(Verdict.STORED) == 300
    assert target.counters.get("split") >= 2
    assert 300 == len(stored_ids(node, index))
    # The size is learned: the next batch is not sent too large again.
    before = target.counters.get("split")
    assert target.deliver(make_batch(make_frames(300, "x" * 500))) is None
    assert target.counters.get("split") == before
    target.close()


def test_request_400_is_permanent(elasticsearch_server: Elasticsearch, index: str) -> None:
    """A request that is refused whole is for the delivery thread to halve."""
    target = destination(elasticsearch_server.url, index_pattern=index, template=False)
    good, bad = make_frames(2)
    # No frame of the encoder's is like this: it stands for a damaged one.
    bad = bad._replace(payload=bad.payload + b'"cut\n')
    with pytest.raises(PermanentError, match="400"):
        target.deliver(make_batch([bad]))
    assert target.deliver(make_batch([good])) is None
    target.close()


def test_failure_store_is_stored_but_counted(
    elasticsearch_server: Elasticsearch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes to a stream's failure store is stored, counted apart, and said."""
    dataset = index.replace("-", "_")
    target = destination(elasticsearch_server.url, data_stream={"dataset": dataset}, template=False)
    template = {
        "index_patterns": [f"logs-{dataset}-default"],
        "priority": 500,
        "data_stream": {},
        "template": {
            "data_stream_options": {"failure_store": {"enabled": True}},
            "mappings": {"properties": {"attributes": {"properties": {"n": {"type": "integer"}}}}},
        },
    }
    assert elasticsearch_server.request("PUT", f"/_index_template/{index}", template).status == 200
    target.name = index
    assert target.deliver(make_batch([make_frame(0, n=1), make_frame(1, n="many")])) is None
    assert target.counters.get("failure_store") == 1
    assert "1 records do not fit the mapping" in capsys.readouterr().err
    assert elasticsearch_server.count(f"logs-{dataset}-default") == 1
    target.close()
