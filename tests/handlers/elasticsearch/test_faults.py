"""Faults while records are delivered; at the end documents are counted by uid: none missing, none twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from otel_stdlib.spool.frame import Frame
from tests.handlers.elasticsearch.helpers import (
    ListSource,
    destination,
    make_frame,
    make_frames,
    stored_ids,
    working,
)
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy
from tests.support import eventually

MakeProxy = Callable[[str, int], Proxy]


def numbered(start: int, count: int) -> list[Frame]:
    """Records with consecutive numbers."""
    return [make_frame(n, n=n) for n in range(start, start + count)]


def settled(source: ListSource) -> bool:
    """Whether everything that the source has is delivered."""
    return source.cursor >= source.head()


@pytest.mark.long
def test_server_killed_and_restarted_again_and_again(
    elasticsearch_node: Callable[..., Elasticsearch], index: str, tmp_path: Path
) -> None:
    """SIGKILL in the middle of delivery, ten times: every record is there once."""
    node = elasticsearch_node(heap="256m")
    source = ListSource(numbered(0, 400))
    target = destination(node.url, index_pattern=index, batch_records=40, max_workers=2, timeout=5)
    with working(target, source, dead=tmp_path / "dead.jsonl"):
        for round_ in range(10):
            done = source.cursor
            eventually(lambda done=done: source.cursor > done, 60, 0.001)
            node.kill()
            source.add(numbered(400 * (round_ + 1), 400))
            node.start()
        eventually(lambda: settled(source), 60)
    assert source.uids() == stored_ids(node, index)


def test_answer_lost_after_the_server_stored(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path
) -> None:
    """The connection is cut between storing and answering: the batch is sent again and found to be there."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    source = ListSource(numbered(0, 50))
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index)
    target.open()
    door.lose_answer(to=b"/_bulk", times=3)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: settled(source))
        assert worker.snapshot()["duplicates"] == 50
    assert door.traffic.lost_answers == 3
    assert source.uids() == stored_ids(elasticsearch_server, index)


@pytest.mark.parametrize("fault", ["torn", "swallowed", "garbage", "cut"])
def test_network_faults(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path, fault: str
) -> None:
    """A torn request, answers that never come, nonsense and resets delay records, and do no more."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    source = ListSource(numbered(0, 500))
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index, batch_records=50, timeout=0.5)
    target.open()
    if fault == "torn":
        door.cut_after(20_000)
    elif fault == "swallowed":
        door.swallow_answers()
    elif fault == "garbage":
        door.garbage(
            b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"items": []}'
        )
    else:
        door.stop()
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: worker.snapshot()["last_error"])
        assert "127.0.0.1" in worker.snapshot()["last_error"] or "bulk" in worker.snapshot()["last_error"]
        door.start()
        eventually(lambda: settled(source), 60)
    assert source.uids() == stored_ids(elasticsearch_server, index)


def test_server_absent_at_start(
    index: str, elasticsearch_server: Elasticsearch, proxy: MakeProxy, tmp_path: Path
) -> None:
    """With nobody there, records wait; when the server comes, they are delivered."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    door.refuse()
    source = ListSource(numbered(0, 100))
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
        assert source.cursor == 0
        door.listen()
        eventually(lambda: settled(source))
        eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed")
    assert source.uids() == stored_ids(elasticsearch_server, index)


def test_second_host_takes_over_at_once(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path
) -> None:
    """One of two nodes refuses: its requests go to the other one without a failure."""
    dead, door = (proxy(elasticsearch_server.host, elasticsearch_server.port) for _ in range(2))
    dead.stop()
    hosts = [f"http://127.0.0.1:{dead.port}", f"http://127.0.0.1:{door.port}"]
    source = ListSource(numbered(0, 100))
    with working(destination(hosts, index_pattern=index), source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: settled(source))
        assert worker.snapshot()["last_error"] is None
    assert source.uids() == stored_ids(elasticsearch_server, index)


def test_poison_among_a_thousand(elasticsearch_server: Elasticsearch, index: str, tmp_path: Path) -> None:
    """One document that does not fit costs itself only, and lies in the dead letters with the reason."""
    mappings = {"properties": {"attributes": {"properties": {"n": {"type": "integer"}}}}}
    elasticsearch_server.request("PUT", f"/{index}", {"mappings": mappings})
    frames = numbered(0, 1_000)
    frames[500] = make_frame(500, n="poison")
    source = ListSource(frames)
    target = destination(elasticsearch_server.url, index_pattern=index, template=False)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: settled(source))
        assert worker.snapshot()["rejected"] == 1
    uids = source.uids()
    elasticsearch_server.request("POST", f"/{index}/_refresh")
    assert elasticsearch_server.count(index) == 999
    assert {hit["_id"] for hit in elasticsearch_server.hits(index)} == {*uids} - {uids[500]}
    (letter,) = (orjson.loads(line) for line in (tmp_path / "dead.jsonl").read_bytes().splitlines())
    assert uids[500] in orjson.dumps(letter).decode()
    assert "document_parsing_exception" in orjson.dumps(letter).decode()


def test_damaged_bytes_among_a_thousand(
    elasticsearch_server: Elasticsearch, index: str, tmp_path: Path
) -> None:
    """A line that breaks the whole request is found by halving; the others are stored once."""
    frames = numbered(0, 1_000)
    frames[700] = frames[700]._replace(payload=frames[700].payload + b'"cut\n')
    source = ListSource(frames)
    with working(
        destination(elasticsearch_server.url, index_pattern=index), source, dead=tmp_path / "dead.jsonl"
    ) as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 1
    uids = source.uids()
    assert uids[:700] + uids[701:] == stored_ids(elasticsearch_server, index)


def test_index_deleted_under_way(elasticsearch_server: Elasticsearch, index: str, tmp_path: Path) -> None:
    """Records after the deletion are stored, in an index made anew; no record is there twice."""
    source = ListSource(numbered(0, 300))
    target = destination(elasticsearch_server.url, index_pattern=index, batch_records=20, max_workers=1)
    with working(target, source, dead=tmp_path / "dead.jsonl"):
        eventually(lambda: source.cursor > 0)
        assert elasticsearch_server.request("DELETE", f"/{index}").status == 200
        mark = len(source.frames)
        eventually(lambda: settled(source))
        source.add(numbered(mark, 300))
        eventually(lambda: settled(source))
    uids = source.uids()
    stored = stored_ids(elasticsearch_server, index)
    assert uids[mark:] == stored[-300:]
    assert len(stored) == len(set(stored))
    assert set(stored) <= set(uids)


def test_storm_of_429(elasticsearch_node: Callable[..., Elasticsearch], index: str, tmp_path: Path) -> None:
    """A server short of memory refuses again and again: it is given less at once, and gets everything."""
    node = elasticsearch_node({"indexing_pressure.memory.limit": "32kb"}, heap="256m")
    frames = make_frames(600, "x" * 200)
    source = ListSource(frames)
    target = destination(node.url, index_pattern=index, batch_records=200, max_workers=4)
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 0
    assert target.counters.get("pressed") > 0
    assert source.uids() == stored_ids(node, index)


def test_rollover_between_two_tries(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path
) -> None:
    """In a data stream, what was stored before a rollover is found and not stored again."""
    dataset = index.replace("-", "_")
    stream = f"logs-{dataset}-default"
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    source = ListSource(numbered(0, 50))
    target = destination(f"http://127.0.0.1:{door.port}", data_stream={"dataset": dataset})
    target.open()
    door.lose_answer(to=b"/_bulk")
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        # The answer is lost; before it is sent again, the stream rolls over.
        door.wait_for(lambda traffic: traffic.lost_answers == 1)
        door.stop()
        assert elasticsearch_server.request("POST", f"/{stream}/_rollover").status == 200
        door.start()
        eventually(lambda: settled(source))
        assert worker.snapshot()["duplicates"] == 50
    assert source.uids() == stored_ids(elasticsearch_server, stream)


def test_rollover_before_a_dead_process_is_adopted(
    elasticsearch_server: Elasticsearch, index: str, tmp_path: Path
) -> None:
    """The next process cannot know what the dead one had sent: it looks before it sends to a stream."""
    dataset = index.replace("-", "_")
    stream = f"logs-{dataset}-default"
    source = ListSource(numbered(0, 50), live=False)
    done: list[object] = []
    for _ in range(2):
        target = destination(elasticsearch_server.url, data_stream={"dataset": dataset})
        with working(target, dead=tmp_path / "dead.jsonl") as worker:
            worker.add_source(source, done.append)
            eventually(lambda: source.cursor >= source.head() and done)
        # Killed before the cursor was kept.
        source.cursor = 0
        done.clear()
        assert elasticsearch_server.request("POST", f"/{stream}/_rollover").status == 200
    assert source.uids() == stored_ids(elasticsearch_server, stream)


def test_close_does_not_wait_for_a_deaf_server(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path
) -> None:
    """A server that never answers cannot hold the end of the process up."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index, timeout=60)
    target.open()
    door.deaf()
    source = ListSource(numbered(0, 10))
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        door.wait_for(lambda traffic: traffic.open > 0)
        began = time.monotonic()
        assert not worker.stop(time.monotonic() + 0.2)
        assert time.monotonic() - began < 30
        door.start()


def test_a_line_too_slow_for_a_full_request(
    elasticsearch_server: Elasticsearch, index: str, proxy: MakeProxy, tmp_path: Path
) -> None:
    """Where a full request takes longer than the timeout, smaller ones get through."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    source = ListSource(make_frames(300, "x" * 1_000))
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index, timeout=1)
    target.open()
    door.slow(bytes_per_second=200_000)
    with working(target, source, dead=tmp_path / "dead.jsonl"):
        eventually(lambda: settled(source), 60)
    assert source.uids() == stored_ids(elasticsearch_server, index)
