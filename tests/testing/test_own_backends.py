"""The contract over the back ends of this package."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import ElasticsearchHandler, JSONLFileHandler, KafkaHandler, PostgresHandler
from otel_stdlib.testing import BackendContract
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy


@contextmanager
def cut(door: Proxy) -> Any:
    """Nothing comes through the proxy."""
    door.stop()
    try:
        yield
    finally:
        door.start()


class TestJSONLFile(BackendContract):
    """A file, each record once."""

    backend = JSONLFileHandler
    exactly_once = True

    @pytest.fixture(autouse=True)
    def _target(self, tmp_path: Path) -> None:
        self.path = tmp_path / "out" / "contract.jsonl"
        self.config = {"filename": str(self.path)}

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """Its lines."""
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


class TestPostgres(BackendContract):
    """A table behind a proxy that can be cut."""

    backend = PostgresHandler
    exactly_once = True

    @pytest.fixture(autouse=True)
    def _target(self, postgres_database: Database, proxy: Callable[[str, int], Proxy]) -> None:
        self.database = postgres_database
        self.door = proxy(postgres_database.host, postgres_database.port)
        self.config = {"dsn": postgres_database.through(self.door.port).dsn, "connect_timeout": 2.0}

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """Its rows."""
        rows = self.database.execute("SELECT body, attributes FROM otel_logs ORDER BY id")
        return [{"body": body, "attributes": attributes} for body, attributes in rows]

    def outage(self) -> AbstractContextManager[Any] | None:
        """The connection is cut."""
        return cut(self.door)


class TestElasticsearch(BackendContract):
    """An index behind a proxy that can be cut."""

    backend = ElasticsearchHandler
    exactly_once = True

    @pytest.fixture(autouse=True)
    def _target(self, elasticsearch_server: Elasticsearch, proxy: Callable[[str, int], Proxy]) -> None:
        self.server, self.index = elasticsearch_server, f"contract-{secrets.token_hex(6)}"
        self.door = proxy(elasticsearch_server.host, elasticsearch_server.port)
        self.config = {"hosts": [f"http://127.0.0.1:{self.door.port}"], "index_pattern": self.index}

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """Its documents, by uid: the order of an index is not that of arrival."""
        entries = [hit["_source"] for hit in self.server.hits(f"{self.index}*")]
        return sorted(entries, key=lambda entry: str(entry["attributes"]["log.record.uid"]))

    def outage(self) -> AbstractContextManager[Any] | None:
        """The connection is cut."""
        return cut(self.door)


class TestKafka(BackendContract):
    """A topic behind a proxy that can be cut."""

    backend = KafkaHandler

    @pytest.fixture(autouse=True)
    def _target(self, kafka_broker: KafkaBroker) -> None:
        self.broker, self.topic = kafka_broker, f"contract-{secrets.token_hex(6)}"
        kafka_broker.create_topic(self.topic)
        self.config = {
            "bootstrap_servers": kafka_broker.proxied_bootstrap,
            "topic": self.topic,
            "timeout": 5.0,
        }

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """Its messages."""
        return [json.loads(message.value()) for message in self.broker.messages(self.topic)]

    def outage(self) -> AbstractContextManager[Any] | None:
        """The connection is cut."""
        return cut(self.broker.proxy)
