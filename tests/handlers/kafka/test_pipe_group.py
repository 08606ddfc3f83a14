"""``otel-stdlib pipe`` with several members, and with a destination that is away for a while."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.handlers.kafka.test_pipe import count, fill, start
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy
from tests.support import eventually


@pytest.fixture
def wide(kafka_broker: KafkaBroker) -> str:
    """A topic with four partitions."""
    name = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(name, 4)
    return name


def test_members_come_and_go_under_load(
    kafka_broker: KafkaBroker, elasticsearch_server: Elasticsearch, wide: str, tmp_path: Path
) -> None:
    """A second member joins and the first one leaves while records come: none lost, none twice."""
    source = f"kafka://{kafka_broker.bootstrap}/{wide}?group=g-{wide}&session.timeout.ms=6000"
    target = elasticsearch_server.url.replace("http:", "elasticsearch:") + f"/{wide}"
    wanted = fill(kafka_broker, wide, 1_500)
    with start(source, target, tmp_path) as first:
        eventually(lambda: count(elasticsearch_server, wide) > 0, 40)
        with start(source, target, tmp_path) as second:
            assert second.stderr is not None
            assert second.stderr.readline().startswith("reading ")
            for _ in range(4):
                wanted += fill(kafka_broker, wide, 1_000)
            eventually(lambda: count(elasticsearch_server, wide) >= len(wanted), 60, 0.1)
            wanted += fill(kafka_broker, wide, 1_500)
            first.terminate()
            assert first.wait(60) == 0
            wanted += fill(kafka_broker, wide, 500)
            eventually(lambda: count(elasticsearch_server, wide) >= len(wanted), 60, 0.1)
            second.terminate()
            assert second.wait(60) == 0
            said = second.stderr.read()
    # The second one had its share, and took over the rest.
    assert int(said.rpartition(" records delivered")[0].rpartition("\n")[2]) >= 500
    assert sorted(hit["_id"] for hit in elasticsearch_server.hits(wide)) == sorted(wanted)


def test_members_fill_a_table(
    kafka_broker: KafkaBroker, postgres_database: Database, wide: str, tmp_path: Path
) -> None:
    """Members with records of one spool at the same time skip none of them for what another one stored."""
    config = tmp_path / "logging.yaml"
    handler = {
        "()": "otel_stdlib.handlers.PostgresHandler",
        "dsn": postgres_database.dsn,
        "table_name": "piped",
    }
    config.write_text(json.dumps({"version": 1, "handlers": {"table": {**handler, "batch_records": 50}}}))
    source = f"kafka://{kafka_broker.bootstrap}/{wide}?group=g-{wide}&session.timeout.ms=6000"
    wanted = fill(kafka_broker, wide, 500)
    with ExitStack() as members:
        running = [
            members.enter_context(start(source, str(config), tmp_path, "--to", "table")) for _ in range(2)
        ]
        for _ in range(4):
            wanted += fill(kafka_broker, wide, 1_500)
        found = "SELECT DISTINCT attributes ->> 'log.record.uid' FROM piped"
        table = "SELECT to_regclass('piped')"
        eventually(lambda: postgres_database.execute(table) != [(None,)], 40)
        eventually(lambda: len(postgres_database.execute(found)) >= len(wanted), 60, 0.1)
        for member in running:
            member.terminate()
        assert [0, 0] == [member.wait(60) for member in running]
    assert sorted(wanted) == sorted(uid for (uid,) in postgres_database.execute(found))


def test_a_destination_that_is_away_is_waited_for(
    kafka_broker: KafkaBroker,
    elasticsearch_server: Elasticsearch,
    proxy: Callable[[str, int], Proxy],
    wide: str,
    tmp_path: Path,
) -> None:
    """The member stays in its group beyond its session, reads nothing on, and goes on where it was."""
    settings = f"group=g-{wide}&session.timeout.ms=6000&max.poll.interval.ms=6000"
    source = f"kafka://{kafka_broker.bootstrap}/{wide}?{settings}"
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\nhandlers:\n  search:\n    class: otel_stdlib.handlers.ElasticsearchHandler\n"
        f"    hosts: ['http://127.0.0.1:{door.port}']\n    index_pattern: {wide}\n"
        "    retry_delay: 0.1\n    max_retry_delay: 0.5\n    circuit_breaker_timeout: 0.5\n"
        "    health_check_interval: 0.5\n    timeout: 2.0\n"
    )
    wanted = fill(kafka_broker, wide, 500)
    with start(source, str(config), tmp_path) as process:
        eventually(lambda: count(elasticsearch_server, wide) == 500, 40)
        door.stop()
        try:
            wanted += fill(kafka_broker, wide, 500)
            # Longer than a member may be silent: who does not poll is put out of the group.
            with pytest.raises(AssertionError):
                eventually(lambda: count(elasticsearch_server, wide) > 500, 8, 0.2)
        finally:
            door.start()
        wanted += fill(kafka_broker, wide, 500)
        eventually(lambda: count(elasticsearch_server, wide) >= len(wanted), 60, 0.1)
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr is not None
        # Nothing was read a second time: it was never put out of its group.
        assert f"{len(wanted)} records delivered, 0 rejected" in process.stderr.read()
    assert sorted(hit["_id"] for hit in elasticsearch_server.hits(wide)) == sorted(wanted)
