"""An outage of a real server: what waits is readable beside, and the server gets all of it once."""

from __future__ import annotations

import json
import logging
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib import OTelQueueHandler
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers import ElasticsearchHandler, JSONLFileHandler, PostgresHandler
from otel_stdlib.handlers.postgres import PostgresOptions
from tests.faults.harness import PREAMBLE, environment
from tests.handlers.postgres.support import keywords
from tests.handlers.postgres.support import uids as postgres_uids
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy
from tests.support import eventually, whole_lines

pytestmark = pytest.mark.fault

MakeProxy = Callable[[str, int], Proxy]
QUICK = {
    "retry_delay": 0.02,
    "max_retry_delay": 0.05,
    "circuit_breaker_threshold": 2,
    "circuit_breaker_timeout": 0.2,
    "health_check_interval": 0.1,
    "timeout": 3,
}
#: The same without the options that PostgreSQL does not have.
QUICK_POSTGRES = {
    name: value for name, value in QUICK.items() if name in PostgresOptions.__dataclass_fields__
}

PROGRAM = (
    PREAMBLE
    + """
import json, otel_stdlib.handlers
handler = otel_stdlib.handlers.ElasticsearchHandler(**json.loads(os.environ["OPTIONS"]))
log.addHandler(handler)
log.setLevel("INFO")
count = int(sys.argv[1])
for n in range(count):
    log.info("waits %d", n)
handler.start()
if count:
    time.sleep(60)  # killed meanwhile
deadline = time.monotonic() + 60
own = handler.health()["spool_id"]
while any(len(n) == 26 and n != own for n in os.listdir(os.environ["OTEL_STDLIB_SPOOL_DIR"])):
    assert time.monotonic() < deadline, handler.health()
    time.sleep(0.02)
handler.stop(10)
"""
)


@pytest.fixture
def name() -> str:
    """An index that no other test has."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def log_to() -> Iterator[Callable[..., logging.Logger]]:
    """A logger with one handler, which is stopped at the end."""
    logger = logging.Logger("app")

    def attach(handler: Any) -> logging.Logger:
        logger.addHandler(handler)
        return logger

    yield attach
    for handler in logger.handlers:
        handler.stop(0.1)  # type: ignore[attr-defined]
        handler.close()


def uids(path: Path) -> list[str]:
    """The uids in a JSONL file, in their order; nothing but whole lines stands there."""
    return [json.loads(line)["attributes"]["log.record.uid"] for line in whole_lines(path)]


def options(door: Proxy, index: str, path: Path) -> dict[str, Any]:
    """A handler behind a proxy, with a fallback at once."""
    return {
        **QUICK,
        "hosts": f"http://127.0.0.1:{door.port}",
        "index_pattern": index,
        "batch_age": 0,
        "fallback": {"filename": str(path), "after": 0.05},
    }


def test_an_outage_of_elasticsearch(
    elasticsearch_server: Elasticsearch,
    proxy: MakeProxy,
    tmp_path: Path,
    log_to: Callable[..., Any],
    name: str,
) -> None:
    """Cut: readable lines. Back: every record once. The file has only what waited."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    path = tmp_path / "waiting.jsonl"
    handler = ElasticsearchHandler(**options(door, name, path), spool={"directory": str(tmp_path / "s")})
    logger = log_to(handler)
    for n in range(50):
        logger.info("before %d", n)
    assert handler.flush(60)
    assert not path.exists()
    door.stop()
    for n in range(200):
        logger.info("during %d", n)
    eventually(lambda: len(uids(path)) == 200, 60)

    def fallback() -> dict[str, Any]:
        [report] = handler.health()["destinations"].values()
        found: dict[str, Any] = report["fallback"]
        return found

    eventually(lambda: fallback()["sent"] == 200)  # counted a moment after the lines are there
    assert fallback()["active"]
    door.start()
    assert handler.flush(60)
    logger.info("after")
    assert handler.flush(60)
    stored = sorted(hit["_id"] for hit in elasticsearch_server.hits(name))
    waited = uids(path)
    assert len(stored) == len(set(stored)) == 251
    assert len(waited) == len(set(waited)) == 200
    assert set(waited) < set(stored)


def test_a_process_killed_during_the_outage(
    elasticsearch_server: Elasticsearch, proxy: MakeProxy, tmp_path: Path, name: str
) -> None:
    """SIGKILL: the lines stay readable, and the next process delivers each record once."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    door.stop()
    path = tmp_path / "waiting.jsonl"
    env = environment(tmp_path, OPTIONS=json.dumps(options(door, name, path)))
    with subprocess.Popen([sys.executable, "-c", PROGRAM, "300"], env=env) as process:
        try:
            eventually(lambda: len(uids(path)) == 300, 60)
        finally:
            process.send_signal(signal.SIGKILL)
    door.start()
    subprocess.run([sys.executable, "-c", PROGRAM, "0"], env=env, check=True, timeout=90)
    stored = sorted(hit["_id"] for hit in elasticsearch_server.hits(name))
    assert len(stored) == 300
    assert stored == sorted(uids(path))


def test_an_outage_of_postgres(
    postgres_database: Database, proxy: MakeProxy, tmp_path: Path, log_to: Callable[..., Any]
) -> None:
    """The same option, the same promise."""
    door = proxy(postgres_database.host, postgres_database.port)
    path = tmp_path / "waiting.jsonl"
    handler = PostgresHandler(
        **keywords(postgres_database, port=door.port, **QUICK_POSTGRES),
        fallback={"filename": str(path), "after": 0.05},
        spool={"directory": str(tmp_path / "s")},
    )
    logger = log_to(handler)
    logger.info("before")
    assert handler.flush(60)
    door.stop()
    for n in range(50):
        logger.info("during %d", n)
    eventually(lambda: len(uids(path)) == 50, 60)
    door.start()
    assert handler.flush(60)
    stored = postgres_uids(postgres_database)
    assert len(stored) == 51
    assert set(stored.values()) == {1}
    assert set(uids(path)) < set(stored)


def test_a_file_that_is_written_already_is_refused(
    tmp_path: Path, log_to: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two handlers with one fallback file: the second one has none, and that is said."""
    shared = {"filename": str(tmp_path / "waiting.jsonl"), "after": 0}
    both = [
        ElasticsearchHandler(**{**QUICK, "hosts": f"http://127.0.0.1:{port}"}, fallback=shared)
        for port in (9, 10)
    ]
    queue = OTelQueueHandler(handlers=both, spool={"directory": str(tmp_path / "s")}, shutdown_timeout=0.1)
    logger = log_to(queue)
    logger.info("waits")
    first, second = queue.health()["destinations"].items()
    assert "fallback" in first[1]
    assert "fallback" not in second[1]
    assert (first[0], second[0]) == ("elasticsearch", "elasticsearch-2")
    assert "is written already" in capsys.readouterr().err
    eventually(lambda: len(uids(tmp_path / "waiting.jsonl")) == 1, 60)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("file.jsonl", "'fallback'"),
        ({"file": "x"}, "'file'"),
        ({"after": 3}, "'filename'"),
        ({"filename": "x", "after": -1}, "'after'"),
        ({"filename": "x", "after": "soon"}, "'after'"),
        ({"filename": "x", "max_bytes": "1M"}, "'max_bytes'"),
    ],
)
def test_a_wrong_option_is_quoted(value: object, quoted: str) -> None:
    """When the handler is made, not when the server goes."""
    with pytest.raises(ConfigError, match=quoted) as caught:
        ElasticsearchHandler(fallback=value)
    assert "fallback" in str(caught.value)


def test_a_file_has_no_fallback(tmp_path: Path) -> None:
    """It is for what a network can part us from."""
    with pytest.raises(ConfigError, match="'fallback'"):
        JSONLFileHandler(filename=tmp_path / "a.jsonl", fallback={"filename": tmp_path / "b.jsonl"})
