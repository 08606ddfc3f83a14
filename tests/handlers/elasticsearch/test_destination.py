from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.wire import UnknownOutcome, Wire
from tests.handlers.elasticsearch.helpers import (
    destination,
    in_thread,
    make_batch,
    make_frame,
    make_frames,
    stored_ids,
    verdicts,
)
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy
from tests.support import eventually

# 2026-01-01T00:00:00Z
MIDNIGHT = 1_767_225_600.0


def test_tenants_and_days_have_their_own_indices(elasticsearch_server: Elasticsearch, index: str) -> None:
    """One batch goes to as many indices as its tenants and its days need."""
    target = destination(elasticsearch_server.url, index_pattern=index + "-{tenant}-%Y.%m.%d")
    target.open()
    frames = [
        make_frame(1, at=MIDNIGHT - 0.001, tenant="acme"),
        make_frame(2, at=MIDNIGHT, tenant="ACME"),
        make_frame(3, at=MIDNIGHT, tenant="a/b, c*"),
        make_frame(4, at=MIDNIGHT),
    ]
    assert target.deliver(make_batch(frames)) is None
    found = sorted(hit["_index"].removeprefix(index) for hit in elasticsearch_server.hits(f"{index}-*"))
    assert ["-acme-2025.12.31", "-acme-2026.01.01"] == found[1:3]
    assert found[0].startswith("-a_b__c_-")
    assert "-unknown-2026.01.01" == found[3]
    target.close()


def test_a_batch_is_sent_again_to_the_names_first_used(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """After a lost answer, other options do not send the records elsewhere."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    url = f"http://127.0.0.1:{door.port}"
    first = destination(url, index_pattern=f"{index}-a", template=False)
    first.open()
    door.lose_answer(to=b"/_bulk")
    batch = make_batch(make_frames(5))
    with pytest.raises(RetryableError):
        first.deliver(batch)
    second = destination(url, index_pattern=f"{index}-b", template=False)
    assert [Verdict.DUPLICATE] * 5 == verdicts(second.deliver(batch))
    assert 5 == elasticsearch_server.count(f"{index}-*")
    first.close()
    second.close()


def test_requests_are_in_flight_together(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """A large batch is several requests, as many at once as ``max_workers`` says."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    target = destination(
        f"http://127.0.0.1:{door.port}", index_pattern=index, batch_records=10, max_workers=3
    )
    target.open()
    door.deaf()
    batch = make_batch(make_frames(60))
    results: list[object] = []
    thread = in_thread(lambda: results.append(target.deliver(batch)))
    door.wait_for(lambda traffic: traffic.open == 3)
    names = sorted(t.name for t in threading.enumerate() if t.name.startswith("otel-stdlib-elasticsearch"))
    assert ["otel-stdlib-elasticsearch-1", "otel-stdlib-elasticsearch-2"] == names
    door.pass_through()
    thread.join(60)
    assert [None] == results
    assert 6 == target.counters.get("requests")
    assert 60 == len(stored_ids(elasticsearch_server, index))
    target.close()


def test_a_part_that_fails_is_sent_again_alone(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """When one of several requests is lost, only its records are to be sent again."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    target = destination(
        f"http://127.0.0.1:{door.port}", index_pattern=index, batch_records=10, max_workers=2
    )
    target.open()
    door.lose_answer(to=b"/_bulk")
    batch = make_batch(make_frames(20))
    outcomes = verdicts(target.deliver(batch))
    assert 10 == outcomes.count(Verdict.STORED) == outcomes.count(Verdict.RETRY)
    assert "DUPLICATE" in {verdict.name for verdict in verdicts(target.deliver(batch))}
    assert 20 == len(stored_ids(elasticsearch_server, index))
    target.close()


def test_one_refused_part_does_not_condemn_the_others(
    elasticsearch_server: Elasticsearch, index: str
) -> None:
    """A part with a damaged line is to be sent again, and then refused whole."""
    target = destination(elasticsearch_server.url, index_pattern=index, batch_records=10, max_workers=2)
    target.open()
    frames = make_frames(20)
    frames[15] = frames[15]._replace(payload=frames[15].payload + b'"cut\n')
    outcomes = verdicts(target.deliver(make_batch(frames)))
    assert [Verdict.STORED] * 10 + [Verdict.RETRY] * 10 == outcomes
    target.close()


def test_probe(elasticsearch_server: Elasticsearch, proxy: Callable[[str, int], Proxy]) -> None:
    """The health check fails when nobody answers, and passes when somebody does."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    target = destination(f"http://127.0.0.1:{door.port}", timeout=0.5)
    target.probe()
    door.stop()
    with pytest.raises(RetryableError, match="no connection"):
        target.probe()
    door.start()
    eventually(lambda: target.probe() is None)
    door.garbage(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(RetryableError, match="502"):
        target.probe()
    target.close()
    target.close()


def test_an_answer_that_is_not_elasticsearchs(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """A gateway's pages, whatever their status, never cost a record."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    target = destination(f"http://127.0.0.1:{door.port}", index_pattern=index)
    target.open()
    batch = make_batch(make_frames(3))
    for status in (200, 302, 400, 404, 405, 429, 502, 503, 504):
        page = b"<html>no</html>"
        door.garbage(
            b"HTTP/1.1 %d X\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(page), page)
        )
        with pytest.raises(RetryableError):
            target.deliver(batch)
    door.start()
    assert target.deliver(batch) is None
    target.close()


def test_what_was_never_sent_is_not_an_unknown_outcome(
    elasticsearch_server: Elasticsearch, proxy: Callable[[str, int], Proxy]
) -> None:
    """Refused is refused; reset after sending may be stored; one attempt is one request."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    wire = Wire(ElasticsearchOptions(hosts=f"http://127.0.0.1:{door.port}"))
    door.lose_answer(times=1)
    with pytest.raises(UnknownOutcome):
        wire.request("HEAD", "/")
    assert 1 == door.traffic.connections
    door.stop()
    with pytest.raises(RetryableError) as caught:
        wire.request("HEAD", "/")
    assert not isinstance(caught.value, UnknownOutcome)
    wire.close()
