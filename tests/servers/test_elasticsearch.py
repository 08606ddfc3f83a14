from __future__ import annotations

import json
import secrets
import ssl
import urllib.request
from collections.abc import Callable

import pytest

from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy


@pytest.fixture
def index() -> str:
    """The name of an index that no other test has."""
    return f"test-{secrets.token_hex(6)}"


def bulk(index: str, ids: range, size: int = 1) -> bytes:
    """A bulk body that creates one document an id."""
    lines = []
    for n in ids:
        lines += [{"create": {"_index": index, "_id": str(n)}}, {"n": n, "text": "x" * size}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_answers_as_elasticsearch_9(elasticsearch_server: Elasticsearch, index: str) -> None:
    """It is version 9; `create` stores a document once and then says 409."""
    info = elasticsearch_server.request("GET", "/")
    assert info.status == 200
    assert info.body["version"]["number"].startswith("9.")
    for status in (201, 409):
        answer = elasticsearch_server.request("POST", "/_bulk", bulk(index, range(3)))
        assert [item["create"]["status"] for item in answer.body["items"]] == [status] * 3
    assert elasticsearch_server.count(index) == 3
    assert {hit["_id"] for hit in elasticsearch_server.hits(index)} == {"0", "1", "2"}
    assert elasticsearch_server.count("no-such-index") == 0


def test_official_client_and_data_stream(elasticsearch_server: Elasticsearch, index: str) -> None:
    """The official client works, and a data stream with logsdb takes documents."""
    elasticsearch = pytest.importorskip("elasticsearch")
    template = {"index_patterns": [index], "data_stream": {}, "priority": 500}
    template["template"] = {"settings": {"index.mode": "logsdb"}}
    assert elasticsearch_server.request("PUT", f"/_index_template/{index}", template).status == 200
    with elasticsearch.Elasticsearch(elasticsearch_server.url) as client:
        line = {"@timestamp": "2026-01-01T00:00:00Z", "message": "hello", "host.name": "here"}
        answer = client.bulk(operations=[{"create": {"_index": index}}, line], refresh=True)
        assert not answer["errors"]
        assert client.count(index=index)["count"] == 1
    assert elasticsearch_server.request("DELETE", f"/_data_stream/{index}").status == 200


def test_killed_and_restarted_keeps_what_it_acknowledged(
    elasticsearch_server: Elasticsearch, index: str
) -> None:
    """SIGKILL after an answer loses nothing; the port is the same."""
    port = elasticsearch_server.port
    assert not elasticsearch_server.request("POST", "/_bulk", bulk(index, range(100))).body["errors"]
    elasticsearch_server.kill()
    with pytest.raises(ConnectionRefusedError):
        elasticsearch_server.request("GET", "/")
    elasticsearch_server.start()
    assert elasticsearch_server.port == port
    assert elasticsearch_server.count(index) == 100


def test_behind_the_proxy_a_bulk_whose_answer_is_lost(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """The proxy can lose the answer to a bulk request: the client sees a reset, the documents are there."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    door.lose_answer(to=b"/_bulk")
    url = f"http://127.0.0.1:{door.port}/_bulk"
    header = {"content-type": "application/x-ndjson"}
    request = urllib.request.Request(url, bulk(index, range(10)), header)
    with pytest.raises(OSError, match="reset"):
        urllib.request.urlopen(request, timeout=30)
    assert elasticsearch_server.count(index) == 10


def test_security_and_tls(elasticsearch_secure: Elasticsearch, index: str) -> None:
    """The password is needed, and the certificate is the authority's."""
    assert elasticsearch_secure.url.startswith("https://")
    assert elasticsearch_secure.request("GET", "/").status == 200
    assert elasticsearch_secure.request("GET", "/", user="elastic:wrong").status == 401
    assert elasticsearch_secure.request("PUT", f"/{index}/_doc/1", {"a": 1}).status == 201
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(elasticsearch_secure.url, context=ssl.create_default_context(), timeout=30)


@pytest.mark.long
def test_own_node_with_limits_and_an_expired_certificate(
    elasticsearch_node: Callable[..., Elasticsearch], elasticsearch_secure: Elasticsearch, index: str
) -> None:
    """A node of the test's own can refuse large bodies (413), be short of memory (429), and be out of date."""
    settings = {"http.max_content_length": "64kb", "indexing_pressure.memory.limit": "20kb"}
    authority = elasticsearch_secure.authority
    node = elasticsearch_node(settings, password="own", authority=authority, expired=True, heap="256m")
    assert node.request("POST", "/_bulk", bulk(index, range(1), 100_000)).status == 413
    assert node.request("POST", "/_bulk", bulk(index, range(1), 40_000)).status == 429
    assert node.request("POST", "/_bulk", bulk(index, range(1), 100)).status == 200
    context = ssl.create_default_context(cafile=str(node.ca_certs))
    with pytest.raises(OSError, match="expired"):
        urllib.request.urlopen(node.url, context=context, timeout=30)
    assert node.count(index) == 1
