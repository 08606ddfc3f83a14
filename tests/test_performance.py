"""``performance_test.py`` as a program, into a file and into every kind of server."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.collector import OtelCollector
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database

ROOT = Path(__file__).parents[1]
_PNG = b"\x89PNG\r\n"


def performance_test(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with 200 logs a way."""
    return subprocess.run(
        [sys.executable, "performance_test.py", "--quick", "--output", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def is_whole(done: subprocess.CompletedProcess[str], folder: Path, backend: str) -> None:
    """Five ways, no errors, nothing missing, and a plot."""
    assert done.returncode == 0, done.stderr
    rows = [line.split("│") for line in done.stdout.splitlines() if line.startswith("│")]
    assert [row[1].strip() for row in rows] == [
        "sync, one thread",
        "sync, 4 threads",
        "async, one coroutine",
        "async, 10 coroutines",
        "async, batches of 100",
    ]
    assert {(row[-3].strip(), row[-2].strip()) for row in rows} == {("0", "0")}
    assert (folder / f"performance_{backend}.png").read_bytes().startswith(_PNG)


def test_filesystem(tmp_path: Path) -> None:
    """The default back end needs no server."""
    is_whole(performance_test(tmp_path), tmp_path, "filesystem")


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    """One line with the error, no traceback, status 1."""
    done = performance_test(
        tmp_path,
        "--backend",
        "postgres",
        "--config",
        "host=127.0.0.1",
        "--config",
        "port=1",
        "--config",
        "database=x",
    )
    assert done.returncode == 1
    assert "postgres takes nothing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_elasticsearch(elasticsearch_server: Elasticsearch, tmp_path: Path) -> None:
    """Options are YAML."""
    name = f"performance-{secrets.token_hex(4)}"
    options = [f'hosts=["{elasticsearch_server.url}"]', f"index_pattern={name}"]
    done = performance_test(
        tmp_path, "--backend", "elasticsearch", *(a for o in options for a in ("--config", o))
    )
    is_whole(done, tmp_path, "elasticsearch")
    assert elasticsearch_server.count(name) == 5 * 201


@pytest.mark.long
def test_postgres(postgres_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password comes from the environment."""
    monkeypatch.setenv("PERFORMANCE_PASSWORD", postgres_database.password or "")
    options = [
        f"host={postgres_database.host}",
        f"port={postgres_database.port}",
        f"database={postgres_database.name}",
        f"user={postgres_database.user}",
        "password='${PERFORMANCE_PASSWORD}'",
        f"sslmode={postgres_database.sslmode}",
        "table_name=performance",
    ]
    done = performance_test(tmp_path, "--backend", "postgres", *(a for o in options for a in ("--config", o)))
    is_whole(done, tmp_path, "postgres")
    assert postgres_database.execute("SELECT count(*) FROM performance") == [(5 * 201,)]


@pytest.mark.long
def test_kafka(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """A topic of its own."""
    topic = f"performance-{secrets.token_hex(4)}"
    kafka_broker.create_topic(topic)
    options = [f"bootstrap_servers='{kafka_broker.bootstrap}'", f"topic={topic}"]
    done = performance_test(tmp_path, "--backend", "kafka", *(a for o in options for a in ("--config", o)))
    is_whole(done, tmp_path, "kafka")


@pytest.mark.long
def test_otlp(otel_collector: OtelCollector, tmp_path: Path) -> None:
    """Into a Collector."""
    done = performance_test(tmp_path, "--backend", "otlp", "--config", f"endpoint={otel_collector.endpoint}")
    is_whole(done, tmp_path, "otlp")
