"""The fixtures of the servers, as a pytest plugin: `pytest_plugins = ["tests.servers.plugin"]`.

A server is built and started when the first test of the session asks for it. Before each test that uses one,
it is put back to work, whatever the test before did to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.servers.base import Server
from tests.servers.cache import Unavailable
from tests.servers.collector import OtelCollector
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.servers.require import missing
from tests.servers.tls import Authority, RenewedAuthority

SERVER_FIXTURES = {
    "postgres_server": "PostgreSQL",
    "postgres_node": "PostgreSQL",
    "pgbouncer": "PgBouncer",
    "elasticsearch_server": "Elasticsearch",
    "elasticsearch_secure": "Elasticsearch",
    "elasticsearch_node": "Elasticsearch",
    "kafka_broker": "Kafka",
    "kafka_node": "Kafka",
    "otel_collector": "an OpenTelemetry Collector",
    "otel_collector_node": "an OpenTelemetry Collector",
}
_running: dict[str, Server] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need a server."""
    for item in items:
        if not SERVER_FIXTURES.keys().isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Heals the servers that the test is about to use."""
    for name in getattr(item, "fixturenames", ()):
        if name in _running:
            _running[name].ensure_running()


def _session(name: str, make: Callable[[], Server]) -> Iterator[Any]:
    """Starts a server for the whole session, and ends it."""
    try:
        server = make()
    except Unavailable as reason:
        missing(SERVER_FIXTURES[name], reason)
    try:
        server.start()
        _running[name] = server
        yield server
    finally:
        _running.pop(name, None)
        server.close()


def _factory(name: str, make: Callable[..., Server]) -> Iterator[Callable[..., Any]]:
    """Gives a function that starts servers for one test, which end with it."""
    with ExitStack() as stack:

        def started(*args: Any, **options: Any) -> Server:
            try:
                server = make(*args, **options)
            except Unavailable as reason:
                missing(SERVER_FIXTURES[name], reason)
            stack.callback(server.close)
            server.start()
            return server

        yield started


@pytest.fixture
def proxy() -> Iterator[Callable[[str, int], Proxy]]:
    """Makes proxies, `proxy(target_host, target_port)`, that end with the test."""
    with ExitStack() as stack:
        yield lambda host, port: stack.enter_context(Proxy(host, port))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of the session's servers."""
    try:
        return Authority(tmp_path_factory.mktemp("authority"))
    except Unavailable as reason:
        missing("a certificate authority", reason)


@pytest.fixture
def renewed_authority(tmp_path_factory: pytest.TempPathFactory) -> RenewedAuthority:
    """An authority that another one replaces during the test, in the file that clients trust."""
    try:
        return RenewedAuthority(tmp_path_factory.mktemp("renewed"))
    except Unavailable as reason:
        missing("a certificate authority", reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    yield from _session("postgres_server", Postgres)


@pytest.fixture
def postgres_database(postgres_server: Postgres) -> Iterator[Database]:
    """A new, empty database on the session's PostgreSQL."""
    with postgres_server.fresh_database() as database:
        yield database


@pytest.fixture
def postgres_node() -> Iterator[Callable[..., Postgres]]:
    """Starts PostgreSQL servers of the test's own: `postgres_node(settings, tls=authority)`."""
    yield from _factory("postgres_node", Postgres)


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[Elasticsearch]:
    """A running Elasticsearch without security."""
    yield from _session("elasticsearch_server", Elasticsearch)


@pytest.fixture(scope="session")
def elasticsearch_secure(authority: Authority) -> Iterator[Elasticsearch]:
    """A running Elasticsearch with HTTPS and a password; see `user`, `password` and `ca_certs`."""
    make = partial(Elasticsearch, password=secrets.token_urlsafe(12), authority=authority)
    yield from _session("elasticsearch_secure", make)


@pytest.fixture
def elasticsearch_node() -> Iterator[Callable[..., Elasticsearch]]:
    """Starts Elasticsearch nodes of the test's own, each a cluster: `elasticsearch_node(settings, heap="256m")`."""
    yield from _factory("elasticsearch_node", Elasticsearch)


@pytest.fixture
def pgbouncer(postgres_server: Postgres) -> Iterator[Callable[..., PgBouncer]]:
    """Starts PgBouncers in front of the session's PostgreSQL, in transaction mode: `pgbouncer(settings)`."""
    yield from _factory("pgbouncer", partial(PgBouncer, postgres_server))


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """A running Kafka broker, with a proxy and a password-protected listener of its own."""
    yield from _session("kafka_broker", KafkaBroker)


@pytest.fixture
def kafka_node() -> Iterator[Callable[..., KafkaBroker]]:
    """Starts Kafka brokers of the test's own: `kafka_node(settings, heap="256m")`."""
    yield from _factory("kafka_node", KafkaBroker)


@pytest.fixture(scope="session")
def otel_collector() -> Iterator[OtelCollector]:
    """A running OpenTelemetry Collector that writes what it receives to a file."""
    yield from _session("otel_collector", OtelCollector)


@pytest.fixture
def otel_collector_node() -> Iterator[Callable[..., OtelCollector]]:
    """Starts Collectors of the test's own: `otel_collector_node(authority=authority)`."""
    yield from _factory("otel_collector_node", OtelCollector)
