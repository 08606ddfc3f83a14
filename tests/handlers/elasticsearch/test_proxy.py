"""The proxy that the environment names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_stdlib.facts.errors import RetryableError
from tests.handlers.elasticsearch.helpers import destination, make_batch, make_frames, stored_ids
from tests.handlers.elasticsearch.scripted import ForwardProxy, serving
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.tls import Authority


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_plain_http_goes_through_it(
    elasticsearch_server: Elasticsearch, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its credentials; without them it says what is missing."""
    proxy = ForwardProxy("carl:secret word")
    with serving(proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//carl:secret%20word@"))
        target = destination(elasticsearch_server.url, index_pattern=index)
        target.open()
        batch = make_batch(make_frames(10))
        assert target.deliver(batch) is None
        target.close()
        assert len(proxy.passed) >= 3
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        target = destination(elasticsearch_server.url, index_pattern=index, template=False)
        with pytest.raises(RetryableError, match=r"a proxy .* asks for credentials \(407\)"):
            target.open()
        target.close()
    assert stored_ids(elasticsearch_server, index) == [batch.uid(frame) for frame in batch.frames]


def test_https_goes_through_a_tunnel(
    elasticsearch_node: Callable[..., Elasticsearch],
    index: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's certificate is checked as ever."""
    node = elasticsearch_node(password="secret-elastic", authority=Authority(tmp_path))
    proxy = ForwardProxy("carl:secret")
    with serving(proxy):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//carl:secret@"))
        options = {"index_pattern": index, "basic_auth": ["elastic", "secret-elastic"]}
        target = destination(node.url, ca_certs=str(node.ca_certs), **options)
        target.open()
        assert target.deliver(make_batch(make_frames(10))) is None
        target.close()
        assert "CONNECT" in proxy.passed
        target = destination(node.url, template=False, **options)
        with pytest.raises(RetryableError, match="no secure connection"):
            target.open()
        target.close()


def test_an_exempt_server_is_reached_directly(
    elasticsearch_server: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``NO_PROXY`` holds."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    target = destination(elasticsearch_server.url, template=False)
    target.open()
    target.close()


def test_a_proxy_of_another_kind_is_refused_by_name(
    elasticsearch_server: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCKS is not supported; no credentials are shown."""
    monkeypatch.setenv("ALL_PROXY", "socks5://carl:secret@127.0.0.1:9")
    target = destination(elasticsearch_server.url, template=False)
    with pytest.raises(RetryableError, match=r"the proxy .*socks5://127.0.0.1\) cannot be used") as found:
        target.open()
    assert "secret" not in str(found.value)
