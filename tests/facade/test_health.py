"""What ``get_health_status`` says, of back ends that are well and of real ones that are not."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import configure_logger, log_info
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy
from tests.support import eventually, whole_lines

#: What every back end says, whatever it is and whether anything was logged.
KEYS = {
    "type",
    "state",
    "circuit_breaker",
    "circuit_breaker_open",
    "failing",
    "queue_depth_bytes",
    "queue_age_seconds",
    "sent",
    "duplicates",
    "retried",
    "dropped",
    "last_error",
    "last_error_time",
    "last_success_time",
    "counts",
}
QUICK = {
    "batch_age": 0,
    "retry_delay": 0.02,
    "max_retry_delay": 0.05,
    "circuit_breaker_threshold": 2,
    "circuit_breaker_timeout": 0.2,
    "health_check_interval": 0.1,
    "template": False,
}


@pytest.fixture
def name() -> str:
    """An index, and a data set, that no other test has."""
    return f"test_{secrets.token_hex(6)}"


def backend(url: str, **config: Any) -> dict[str, Any]:
    """An Elasticsearch that is given up quickly, and written beside at once."""
    fallback = {"filename": "waiting.jsonl", "after": 0.0}
    return {
        "backend_type": "elasticsearch",
        "config": {**QUICK, "hosts": [url], "fallback": fallback, **config},
    }


def waiting(path: Path) -> list[str]:
    """The uids of the records in the fallback's file."""
    return [json.loads(line)["attributes"]["log.record.uid"] for line in whole_lines(path)]


def test_every_back_end_says_the_same(tmp_path: Path) -> None:
    """Before a record and after one, of a file, a console, and one that fails."""
    kinds = [{"backend_type": "filesystem"}, backend("http://127.0.0.1:9")]
    logger = configure_logger(enable_console=True, backends=kinds, shutdown_timeout=0.1)
    for _ in range(2):
        for found in logger.get_health_status()["backends"].values():
            assert found.keys() - {"fallback"} == KEYS
        log_info("a")
    eventually(lambda: logger.get_health_status()["circuit_breaker_open"])
    health = logger.get_health_status()
    away, file = health["backends"]["elasticsearch"], health["backends"]["filesystem"]
    assert "degraded" == health["status"]
    assert (True, True, 0) == (away["circuit_breaker_open"], away["failing"], away["sent"])
    assert away["queue_depth_bytes"] > 0
    assert away["queue_age_seconds"] > 0
    assert "127.0.0.1:9" in away["last_error"]
    assert (False, False) == (file["circuit_breaker_open"], file["failing"])
    json.dumps(health)
    logger.close(0)


def test_what_a_back_end_counts_itself(elasticsearch_server: Elasticsearch, name: str) -> None:
    """Records in Elasticsearch's failure store are stored, and not where people look: the report has them."""
    properties = {"attributes": {"properties": {"n": {"type": "integer"}}}}
    template = {
        "index_patterns": [f"logs-{name}-default"],
        "priority": 500,
        "data_stream": {},
        "template": {
            "data_stream_options": {"failure_store": {"enabled": True}},
            "mappings": {"properties": properties},
        },
    }
    assert 200 == elasticsearch_server.request("PUT", f"/_index_template/{name}", template).status
    with configure_logger(
        backends=[backend(elasticsearch_server.url, data_stream={"dataset": name})]
    ) as logger:
        log_info("fits", n=1)
        log_info("does not", n="many")
        assert logger.flush(60)
        found = logger.get_health_status()["backends"]["elasticsearch"]
    assert (2, 1) == (found["sent"], found["counts"]["failure_store"])
    assert found["counts"]["requests"] >= 1


def test_a_server_that_answers_and_takes_nothing(
    elasticsearch_server: Elasticsearch,
    proxy: Callable[[str, int], Proxy],
    name: str,
    tmp_path: Path,
) -> None:
    """An index that is blocked: the breaker opens, people can read what waits, and later it is all there once."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    assert 200 == elasticsearch_server.request("PUT", f"/{name}", {}).status
    block = f"/{name}/_settings"
    assert 200 == elasticsearch_server.request("PUT", block, {"index.blocks.write": True}).status
    logger = configure_logger(backends=[backend(f"http://127.0.0.1:{door.port}", index_pattern=name)])
    for n in range(50):
        log_info("waits", n=n)
    eventually(lambda: len(waiting(tmp_path / "waiting.jsonl")) == 50, 60)
    health = logger.get_health_status()
    found = health["backends"]["elasticsearch"]
    assert (True, 0, {}) == (health["circuit_breaker_open"], found["sent"], found["dropped"])
    assert found["fallback"]["active"]
    assert found["counts"]["alarms"] > 0
    assert "403" in found["last_error"]
    assert 200 == elasticsearch_server.request("PUT", block, {"index.blocks.write": False}).status
    assert logger.flush(60)
    health = logger.get_health_status()
    logger.close()
    stored = sorted(hit["_id"] for hit in elasticsearch_server.hits(name))
    assert sorted(waiting(tmp_path / "waiting.jsonl")) == stored
    assert 50 == len(set(stored)) == health["backends"]["elasticsearch"]["sent"]
    assert ("healthy", False) == (health["status"], health["circuit_breaker_open"])
