"""Passwords, keys, privileges and certificates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from tests.handlers.elasticsearch.helpers import (
    ListSource,
    destination,
    make_batch,
    make_frames,
    stored_ids,
    working,
)
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority
from tests.support import eventually


def secure(server: Elasticsearch, **options: Any) -> Any:
    """A destination on the secure server, as the superuser unless the options say otherwise."""
    if "api_key" not in options:
        options.setdefault("basic_auth", ["elastic", server.password])
    return destination(server.url, **{"ca_certs": str(server.ca_certs), **options})


def make_user(server: Elasticsearch, name: str, password: str, privileges: list[str], index: str) -> None:
    """A user who has ``privileges`` on indices that begin with ``index``, and no others."""
    role = {"indices": [{"names": [f"*{index}*"], "privileges": privileges}]}
    assert server.request("PUT", f"/_security/role/{name}", role).status == 200
    user = {"password": password, "roles": [name]}
    assert server.request("PUT", f"/_security/user/{name}", user).status == 200


def test_password_over_tls(elasticsearch_secure: Elasticsearch, index: str) -> None:
    """With the right password and authority, records are stored over HTTPS; compressed too."""
    for gzip in (False, True):
        target = secure(elasticsearch_secure, index_pattern=index, gzip=gzip)
        target.open()
        assert target.deliver(make_batch(make_frames(5))) is None
        target.probe()
        target.close()
    assert 10 == elasticsearch_secure.count(index)


def test_wrong_password_then_right(
    elasticsearch_secure: Elasticsearch, index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line, no loss, no password in it; when the password is right again, everything is delivered."""
    make_user(elasticsearch_secure, index, "hunter2-old", ["all"], index)
    source = ListSource(make_frames(100))
    options = {"basic_auth": [index, "hunter2-new"], "max_retries": 0}
    target = secure(elasticsearch_secure, index_pattern=index, template=False, **options)
    target.name = index
    with working(target, source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed")
        assert "refused the credentials (401)" in worker.snapshot()["last_error"]
        assert source.cursor == 0
        change = {"password": "hunter2-new"}
        assert elasticsearch_secure.request("PUT", f"/_security/user/{index}/_password", change).status == 200
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "401" in line]
    assert 1 <= len(said) <= 2
    assert "hunter2" not in "".join(said)
    assert source.uids() == stored_ids(elasticsearch_secure, index)


def test_api_key_that_may_only_create_documents(
    elasticsearch_secure: Elasticsearch, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The least privileges are enough: no template, no lookup, which is said, and records are stored."""
    dataset = index.replace("-", "_")
    role = {"writer": {"indices": [{"names": ["logs-*"], "privileges": ["auto_configure", "create_doc"]}]}}
    template = {"index_patterns": [f"logs-{dataset}-default"], "priority": 500, "data_stream": {}}
    assert elasticsearch_secure.request("PUT", f"/_index_template/{index}", template).status == 200
    made = elasticsearch_secure.request(
        "POST", "/_security/api_key", {"name": index, "role_descriptors": role}
    ).body
    for key in (made["encoded"], [made["id"], made["api_key"]]):
        target = secure(elasticsearch_secure, api_key=key, data_stream={"dataset": dataset})
        target.open()
        target.probe()
        assert target.deliver(make_batch(make_frames(5))) is None
        target.close()
    said = capsys.readouterr().err
    assert 1 == said.count("index template")
    assert 1 == said.count("a record may be stored twice")
    assert made["api_key"] not in said
    assert 10 == elasticsearch_secure.count(f"logs-{dataset}-default")


def test_without_the_privilege_to_write_records_wait(elasticsearch_secure: Elasticsearch, index: str) -> None:
    """A user who may not write loses nothing: the records are to be sent again."""
    make_user(elasticsearch_secure, index, "password", ["read"], index)
    options = {"basic_auth": f"{index}:password", "template": False}
    target = secure(elasticsearch_secure, index_pattern=index, **options)
    with pytest.raises(RetryableError, match=r"refused permission .403.*security_exception"):
        target.deliver(make_batch(make_frames(3)))
    target.close()


def test_unknown_authority(elasticsearch_secure: Elasticsearch, tmp_path: Path) -> None:
    """Certificates are checked unless that is switched off, and the error says what is wrong."""
    stranger = Authority(tmp_path)
    for options in ({"ca_certs": str(stranger.ca)}, {"ca_certs": None}):
        target = secure(elasticsearch_secure, **options)
        with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
            target.open()
        target.close()
    missing = secure(elasticsearch_secure, ca_certs=str(tmp_path / "none.pem"))
    with pytest.raises(RetryableError, match="'ca_certs'"):
        missing.open()
    missing.close()


@pytest.mark.filterwarnings("ignore:Connecting to", "ignore:Unverified HTTPS request")
def test_verification_switched_off(elasticsearch_secure: Elasticsearch) -> None:
    """``verify_certs: false`` connects to anyone."""
    target = secure(elasticsearch_secure, ca_certs=None, verify_certs=False)
    target.probe()
    target.close()


@pytest.mark.long
def test_expired_certificate_then_a_new_one(
    elasticsearch_node: Callable[..., Elasticsearch], authority: Authority, index: str, tmp_path: Path
) -> None:
    """Nothing is lost while the certificate is out of date; with a new one, everything is delivered."""
    node = elasticsearch_node(password="own", authority=authority, expired=True, heap="256m")
    source = ListSource(make_frames(50))
    with working(secure(node, index_pattern=index), source, dead=tmp_path / "dead.jsonl") as worker:
        eventually(lambda: "expired" in str(worker.snapshot()["last_error"]))
        assert source.cursor == 0
        node.expired_certificate = False
        node.stop()
        node.start()
        eventually(lambda: source.cursor >= source.head(), 60)
    assert source.uids() == stored_ids(node, index)


def test_no_secret_reaches_a_log(
    elasticsearch_secure: Elasticsearch,
    index: str,
    proxy: Callable[[str, int], Proxy],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the client logs on the way, the password and the key are not in it."""
    door = proxy(elasticsearch_secure.host, elasticsearch_secure.port)
    target = destination(
        f"https://elastic:{elasticsearch_secure.password}@127.0.0.1:{door.port}",
        ca_certs=str(elasticsearch_secure.ca_certs),
        index_pattern=index,
    )
    with caplog.at_level(logging.DEBUG):
        target.open()
        door.stop()
        with pytest.raises(RetryableError) as caught:
            target.deliver(make_batch(make_frames(5)))
        target.close()
    assert str(elasticsearch_secure.password) not in f"{caplog.text} {caught.value} {caught.value.__cause__}"
