"""Every fragment of the former framework's documentation, with only the import changed, on real back ends.

``fragments/`` has them all, in their order, by number and language.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_stdlib import configure_logger, log_info
from tests.facade.test_examples import environment
from tests.handlers.postgres.support import keywords
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database
from tests.support import whole_lines

FRAGMENTS = Path(__file__).with_name("fragments")
RUNNER = Path(__file__).with_name("fragment_runner.py")

#: What a fragment that is a part of a program takes for granted.
PART = """
import asyncio, json, logging, time
from typing import Any, Dict
from otel_stdlib import *
logger = configure_logger(config_file="logger_config.yaml")
"""
WEB = "from fastapi import FastAPI\napp = FastAPI()\nasync def process_data(data): return data\n"

#: By number: what stands before a fragment, behind it, and the bodies that it logs.
PROGRAMS: dict[str, tuple[str, str, list[str]]] = {
    "08": (
        "",
        "",
        [
            "Application started",
            "Database connection failed",
            "Async operation started",
            "Async error occurred",
        ],
    ),
    "09": ("", "", []),
    "10": ("", "", ["Processing async batch", "Async batch processing completed"]),
    "11": ("", "serve(app, ('/api/process/7', None))", ["Processing started", "Processing completed"]),
    "12": ("", "", ["Processing item", "Item processed"] * 100),
    "13": ("", "", ["Application started", "Application finished"]),
    "15": (
        PART + "create_log_entry = lambda i: {'i': i}\n",
        "await high_volume_logging()",
        [f"Log {n}" for n in range(100)] * 10,
    ),
    "16": (PART + WEB, "serve(app, ('/api/data', {'a': 1}))", ["Request received", "Request completed"]),
    "17": (PART, "", ["Processing started"]),
    "20": (PART + "large_dataset = list(range(1000))\n", "", ["High-volume log entry"]),
    "23": (PART, "", ["User login"]),
    "25": (PART, "", ["User action"]),
    "26": (
        "",
        "serve(app, ('/price/100?discount=0.15', None), ('/health', None))",
        [
            "Request received",
            "Calculating price",
            "Price calculation completed",
            "Request received",
            "Health check requested",
        ],
    ),
    "29": (PART, "", ["This works in any context"]),
    "30": (PART, "", [f"Log {n}" for n in range(1000)] * 2),
    "32": (PART, "", []),
    "33": (PART, "", ["Debug test"]),
    "34": (PART, "", ["Async health check"]),
}
#: What is run by other tests, and what is none of this package's.
ELSEWHERE = {
    "01": "a tree of files",
    "02": "a picture",
    "03": "git",
    "04": "venv",
    "05": "pip",
    "14": "tests/test_performance.py",
    "22": "tests/handlers/postgres/test_schema.py::test_an_existing_seed_table_keeps_working",
    "27": "26 under uvicorn",
    "28": "wrk and htop",
    "31": "curl",
}


def fragment(number: str) -> str:
    """The text of one."""
    (path,) = FRAGMENTS.glob(f"{number}.*")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def name() -> str:
    """A beginning of indices that no other test has."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def config(
    tmp_path: Path, name: str, elasticsearch_secure: Elasticsearch, postgres_database: Database
) -> Callable[[str], str]:
    """Puts the addresses of the real servers into a fragment; passwords come from the ``.env`` of fragment 06."""
    subprocess.run(["bash", "-c", fragment("06")], cwd=tmp_path, check=True)
    env = (tmp_path / ".env").read_text()
    for sample, value in (
        ("your_elasticsearch_password", elasticsearch_secure.password),
        ("your_postgres_password", postgres_database.password or "none"),
    ):
        assert sample in env
        env = env.replace(sample, str(value))
    (tmp_path / ".env").write_text(env)
    server = keywords(postgres_database)
    places = {
        "https://localhost:9200": elasticsearch_secure.url,
        "/path/to/http_ca.crt": str(elasticsearch_secure.ca_certs),
        "my-app-logs": name,
        'host: "localhost"': f'host: "{server["host"]}"\n        sslmode: "{server["sslmode"]}"',
        "port: 5432": f"port: {server['port']}",
        'database: "logs"': f'database: "{server["database"]}"',
        'user: "postgres"': f'user: "{server["user"]}"',
    }

    def put(text: str) -> str:
        for sample, value in places.items():
            text = text.replace(sample, value)
        return text

    return put


def bodies(path: Path) -> list[str]:
    """What the program itself logged into a file, without its spans."""
    found = [json.loads(line) for line in whole_lines(path)]
    # A background task is called by the web framework: see docs/facade.md.
    own = [r for r in found if r["scope"]["name"] in ("app", "starlette.background")]
    return [r["body"] for r in own if not r["body"].startswith("span ")]


def run(folder: Path, number: str, before: str, behind: str) -> str:
    """Run one to its end; what it printed."""
    program = folder / f"fragment_{number}.py"
    end = "\nlogger.close()\n" if before.startswith(PART) else "\n"
    program.write_text(f"{before}\n{fragment(number)}\n{behind}{end}")
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(program)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-3000:]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.stdout


def test_no_fragment_is_left_out() -> None:
    """Each is run here, or it is said where, or why not."""
    numbers = {path.name.partition(".")[0] for path in FRAGMENTS.iterdir()}
    here = {*PROGRAMS, "06", "07", "18", "19", "21", "24"}
    assert numbers == here | ELSEWHERE.keys()
    assert not here & ELSEWHERE.keys()


@pytest.mark.skipif(
    not (importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn")),
    reason="needs fastapi and uvicorn",
)
@pytest.mark.parametrize("number", sorted(PROGRAMS))
def test_programs(
    number: str,
    config: Callable[[str], str],
    tmp_path: Path,
    name: str,
    elasticsearch_secure: Elasticsearch,
    postgres_database: Database,
) -> None:
    """The complete configuration of fragment 07: what is in the file is in both servers, nothing twice."""
    text = config(fragment("07")).replace(
        "enable_console: true", "enable_console: true\n  shutdown_timeout: 60"
    )
    (tmp_path / "logger_config.yaml").write_text(text)
    before, behind, expected = PROGRAMS[number]
    printed = run(tmp_path, number, before, behind)
    log = tmp_path / "logs" / "my-service.jsonl"
    assert sorted(expected) == sorted(bodies(log))
    if number == "09":
        assert "Calculated price: $85.0" in printed
    if number == "26":
        price, health = map(json.loads, printed.splitlines())
        assert (85.0, "healthy") == (price["price"], health["status"])
        assert {"filesystem", "elasticsearch", "postgres", "console"} == set(health["backends"]["backends"])
    count = len(log.read_text().splitlines()) if log.exists() else 0
    if count:
        assert count == elasticsearch_secure.count(f"{name}-*")
        assert [(count,)] == postgres_database.execute("SELECT count(*) FROM otel_logs")


@pytest.mark.parametrize(
    ("number", "kind"), [("18", "filesystem"), ("19", "elasticsearch"), ("21", "postgres")]
)
def test_back_ends(number: str, kind: str, config: Callable[[str], str]) -> None:
    """Each back end alone, as its section has it, under ``strict``."""
    backend = yaml.safe_load(config(fragment(number)).replace("        sslmode", "  sslmode"))
    with configure_logger(backends=[backend], strict=True) as logger:
        log_info("a")
        assert logger.flush(60)
        assert 1 == logger.get_health_status()["backends"][kind]["sent"]


def test_a_kafka_back_end(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """The back end that the documentation writes, against a broker."""
    from confluent_kafka import Consumer, TopicPartition

    options: dict[str, Any] = {"bootstrap.servers": kafka_broker.bootstrap, "group.id": "fragments"}
    consumer = Consumer(options)
    (tmp_path / "logger_config.yaml").write_text("logger: {}\n")
    behind = f"""
made = []
class Kept(AsyncKafkaBackend):
    async def initialize(self, config):
        await super().initialize(config)
        made.append(self.producer)
register_backend("kept", Kept)
configure_logger(backends=[{{"backend_type": "kept",
    "config": {{"bootstrap_servers": "{kafka_broker.bootstrap}"}}}}])
log_info("to Kafka")
assert logger.flush(60)
assert made[0].flush(30) == 0
"""
    try:
        kafka_broker.create_topic("otel-logs")
        run(tmp_path, "24", PART, behind)
        assert (0, 1) == consumer.get_watermark_offsets(TopicPartition("otel-logs", 0), timeout=30)
    finally:
        consumer.close()
