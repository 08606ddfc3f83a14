"""Passwords, keys and authorities that are rotated on the server and in their files: Elasticsearch."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.elasticsearch.test_security import make_user
from tests.handlers.rotation import RECORDS, counted, rotating
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.tls import RenewedAuthority


def bodies(server: Elasticsearch, index: str) -> Mapping[str, int]:
    """How often each body is in an index."""
    return counted(hit["_source"]["body"] for hit in server.hits(index))


def entry(server: Elasticsearch, index: str, **options: Any) -> dict[str, Any]:
    """A handler's entry in a configuration."""
    return {
        "class": "otel_stdlib.handlers.ElasticsearchHandler",
        "hosts": [server.url],
        "ca_certs": str(server.ca_certs),
        "index_pattern": index,
        "template": False,
        **options,
    }


@pytest.mark.parametrize("where", ["basic_auth", "hosts"])
def test_a_rotated_password_is_read_again(
    elasticsearch_secure: Elasticsearch,
    index: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    where: str,
) -> None:
    """401 until the file has the new one; then everything that waited is stored, with no reload."""
    server = elasticsearch_secure

    def handler(variable: str) -> dict[str, Any]:
        if where == "hosts":
            return entry(server, index, hosts=[server.url.replace("://", f"://{index}:{variable}@")])
        return entry(server, index, basic_auth=[index, variable])

    def change() -> str:
        password = secrets.token_urlsafe(12)
        answer = server.request("PUT", f"/_security/user/{index}/_password", {"password": password})
        assert 200 == answer.status
        return password

    first = secrets.token_urlsafe(12)
    make_user(server, index, first, ["all"], index)
    with rotating(tmp_path, handler, first) as rotation:
        rotation.survives(change, lambda: bodies(server, index), capsys)


def test_a_rotated_key_is_read_again(
    elasticsearch_secure: Elasticsearch, index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for an API key, of which the former one is invalidated."""
    server = elasticsearch_secure

    def make_key() -> str:
        found = server.request("POST", "/_security/api_key", {"name": index}).body["encoded"]
        assert isinstance(found, str)
        return found

    def change() -> str:
        answer = server.request("DELETE", "/_security/api_key", {"name": index})
        assert 200 == answer.status
        return make_key()

    with rotating(tmp_path, lambda key: entry(server, index, api_key=key), make_key()) as rotation:
        rotation.survives(change, lambda: bodies(server, index), capsys)


@pytest.mark.slow
def test_a_renewed_authority_is_read_again(
    elasticsearch_node: Callable[..., Elasticsearch],
    renewed_authority: RenewedAuthority,
    index: str,
    tmp_path: Path,
) -> None:
    """The server's certificate and the mounted file of authorities change; every record is stored once.

    urllib3 reads the file for each connection, though its TLS context is the client's.
    """
    password = secrets.token_urlsafe(12)
    node = elasticsearch_node(password=password, authority=renewed_authority.first, heap="256m")
    trusted = str(renewed_authority.trusted)

    def handler(variable: str) -> dict[str, Any]:
        return entry(node, index, basic_auth=["elastic", variable], ca_certs=trusted)

    with rotating(tmp_path, handler, password) as rotation:
        rotation.write("before")
        assert rotation.handler.flush(60)
        renewed_authority.renew(node)
        rotation.write("after")
        assert rotation.handler.flush(90), rotation.report
    assert {f"{text} {n}": 1 for text in ("before", "after") for n in range(RECORDS)} == bodies(node, index)
