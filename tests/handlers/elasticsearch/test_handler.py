"""The handler as applications use it: through ``dictConfig``, in processes that are killed."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.handlers import ElasticsearchHandler
from otel_stdlib.handlers.elasticsearch import ElasticsearchOptions
from tests.handlers.elasticsearch.helpers import QUICK
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy
from tests.support import eventually

APPLICATION = """
import json, logging.config, os, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
log = logging.getLogger("app")
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
log.info("up")
print("up", flush=True)
number = 0
for line in sys.stdin:
    for _ in range(int(line)):
        log.info("record %d", number, extra={"n": number, "pid": os.getpid()})
        os.write(out, b"%d-%d\\n" % (os.getpid(), number))
        number += 1
"""


def config(url: str, *, queue: bool, **options: Any) -> dict[str, Any]:
    """A ``dictConfig`` with the handler behind a queue handler, or straight on the root."""
    handlers: dict[str, Any] = {
        "es": {"class": "otel_stdlib.handlers.ElasticsearchHandler", "hosts": [url], **QUICK, **options}
    }
    if queue:
        handlers["queue"] = {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["es"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": handlers,
        "root": {"level": "DEBUG", "handlers": ["queue" if queue else "es"]},
    }


def root_handler() -> Any:
    """The one handler of ours on the root logger."""
    (handler,) = (h for h in logging.getLogger().handlers if type(h).__module__.startswith("otel_stdlib"))
    return handler


def bodies(server: Elasticsearch, index: str) -> list[str]:
    """The messages that are stored."""
    return sorted(hit["_source"]["body"] for hit in server.hits(index))


@pytest.mark.parametrize("queue", [True, False])
def test_through_dictconfig(elasticsearch_server: Elasticsearch, index: str, queue: bool) -> None:
    """Records reach the index complete, behind a queue handler and without one; the client's own logs do not."""
    logging.config.dictConfig(config(elasticsearch_server.url, queue=queue, index_pattern=f"{index}-%Y"))
    handler = root_handler()
    for number in range(100):
        logging.getLogger("shop").info("order %d", number, extra={"order": number})
    try:
        assert handler.flush(60)
        hits = elasticsearch_server.hits(f"{index}-*")
        assert [f"order {number}" for number in range(100)] == sorted(
            (hit["_source"]["body"] for hit in hits), key=lambda body: int(body.split()[1])
        )
        source = hits[0]["_source"]
        assert hits[0]["_id"] == source["attributes"]["log.record.uid"]
        assert "shop" == source["scope"]["name"]
        assert "INFO" == source["severity_text"]
        assert source["@timestamp"] == source["timestamp"]
        assert "service.name" in source["resource"]
    finally:
        assert handler.stop(30)


def test_configured_and_never_used_does_nothing(index: str) -> None:
    """Construction starts no thread, opens no connection and does not even import the client."""
    program = (
        "import json, logging.config, sys, threading\n"
        "logging.config.dictConfig(json.loads(sys.argv[1]))\n"
        "assert threading.active_count() == 1\n"
        "assert 'elasticsearch' not in sys.modules and 'urllib3' not in sys.modules\n"
    )
    given = json.dumps(config("http://127.0.0.1:1", queue=False, index_pattern=index))
    subprocess.run([sys.executable, "-c", program, given], check=True, timeout=60)


def test_without_the_client() -> None:
    """A missing driver is named with the line that installs it, when the handler is made."""
    program = (
        "import sys\nsys.modules['elasticsearch'] = None\n"
        "from otel_stdlib.handlers import ElasticsearchHandler\n"
        "try:\n    ElasticsearchHandler()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith(MissingExtraError.__name__)
    assert "pip install 'otel_stdlib[elasticsearch]'" in done.stdout


def test_wrong_options_show_at_construction() -> None:
    """``dictConfig`` fails at once, with the option's name."""
    with pytest.raises(ConfigError, match=r"unknown option 'index_patern'.*'index_pattern'"):
        ElasticsearchHandler(index_patern="x")
    handler = ElasticsearchHandler(basic_auth=["elastic", "hunter2"])
    assert "hunter2" not in f"{handler!r} {handler.options!r} {handler.identity!r} {handler.health()!r}"


def test_log_calls_do_not_wait_for_a_dead_server(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """With the server deaf, log calls return, ``close`` and ``flush`` do too, and health tells; then all arrives."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    door.deaf()
    given = config(f"http://127.0.0.1:{door.port}", queue=False, index_pattern=index, timeout=0.5)
    logging.config.dictConfig(given)
    handler = root_handler()
    for number in range(500):
        logging.getLogger("app").info("record %d", number)
    assert not handler.flush(0.2)
    eventually(lambda: "no answer from http://127.0.0.1" in str(handler.health()))
    door.pass_through()
    assert handler.flush(60)
    assert handler.stop(30)
    assert sorted(f"record {number}" for number in range(500)) == bodies(elasticsearch_server, index)


def test_feedback_stays_out_during_an_outage(
    elasticsearch_server: Elasticsearch, index: str, proxy: Callable[[str, int], Proxy]
) -> None:
    """What elastic_transport and urllib3 log while they fail on several threads is not delivered."""
    seen: list[logging.LogRecord] = []

    class Witness(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    given = config(f"http://127.0.0.1:{door.port}", queue=True, index_pattern=index, batch_records=10)
    logging.config.dictConfig(given)
    handler = root_handler()
    witness = Witness()
    logging.getLogger().addHandler(witness)
    door.stop()
    for number in range(100):
        logging.getLogger("app").info("record %d", number)
    eventually(lambda: any(record.name.startswith("elastic_transport") for record in seen))
    door.start()
    try:
        assert handler.flush(60)
        assert 100 == elasticsearch_server.count(index)
        names = {
            record.threadName for record in seen if record.name.startswith(("elastic_transport", "urllib3"))
        }
        assert names
        assert all(str(name).startswith("otel-stdlib-") for name in names)
    finally:
        assert handler.stop(30)


def test_event_time_decides_the_index(elasticsearch_server: Elasticsearch, index: str) -> None:
    """Records from both sides of midnight, delivered together, lie in the indices of their days."""
    logging.config.dictConfig(config(elasticsearch_server.url, queue=True, index_pattern=f"{index}-%Y.%m.%d"))
    handler = root_handler()
    for created in (1_767_225_599.999999, 1_767_225_600.0):
        record = logging.LogRecord("app", logging.INFO, __file__, 1, "now", (), None)
        record.created = created
        handler.handle(record)
    try:
        assert handler.flush(60)
    finally:
        assert handler.stop(30)
    found = sorted(hit["_index"] for hit in elasticsearch_server.hits(f"{index}-*"))
    assert [f"{index}-2025.12.31", f"{index}-2026.01.01"] == found


@pytest.mark.fault
@pytest.mark.parametrize("queue", [True, False])
def test_application_killed_in_the_middle(
    elasticsearch_server: Elasticsearch,
    index: str,
    queue: bool,
    tmp_path: Path,
    proxy: Callable[[str, int], Proxy],
) -> None:
    """SIGKILL while delivering, five times: the next process delivers what is left, each record once."""
    door = proxy(elasticsearch_server.host, elasticsearch_server.port)
    door.slow(delay=0.01)
    url = f"http://127.0.0.1:{door.port}"
    given = json.dumps(config(url, queue=queue, index_pattern=f"{index}-%Y", batch_records=50))
    accepted = tmp_path / "accepted"

    def run(records: int, *, kill: bool) -> None:
        before = accepted.stat().st_size if accepted.exists() else 0
        command = [sys.executable, "-c", APPLICATION, given, str(accepted)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            if records:
                process.stdin.write(f"{records}\n")
                process.stdin.flush()
                eventually(lambda: accepted.exists() and accepted.stat().st_size > before + 1_000)
            if kill:
                process.kill()
                return
            expected = len(accepted.read_bytes().splitlines())
            eventually(lambda: stored() >= expected, 60, 0.1)
            process.stdin.close()
            assert 0 == process.wait(60)

    def stored() -> int:
        pattern = f"{index}-*"
        elasticsearch_server.request("POST", f"/{pattern}/_refresh")
        answer = elasticsearch_server.request(
            "POST", f"/{pattern}/_count", {"query": {"exists": {"field": "attributes.n"}}}
        )
        return int(answer.body["count"]) if answer.status == 200 else 0

    for _ in range(5):
        run(2_000, kill=True)
    run(0, kill=False)
    found = [
        f"{hit['_source']['attributes']['pid']}-{hit['_source']['attributes']['n']}"
        for hit in elasticsearch_server.hits(f"{index}-*")
        if "n" in hit["_source"]["attributes"]
    ]
    wanted = accepted.read_text().split()
    assert len(found) == len(set(found))
    # A record may be logged and not yet noted when the signal comes: at most one a life.
    assert set(wanted) <= set(found)
    assert len(found) <= len(wanted) + 5


def test_runs_beside_an_event_loop(elasticsearch_server: Elasticsearch, index: str) -> None:
    """An asyncio application gets the same handler: nothing of it runs on its loop or leaves tasks there."""
    logging.config.dictConfig(config(elasticsearch_server.url, queue=True, index_pattern=index))
    handler = root_handler()

    async def main() -> int:
        for number in range(20):
            logging.getLogger("app").info("record %d", number)
            await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert 1 == asyncio.run(main())
    try:
        assert handler.flush(60)
        assert 20 <= elasticsearch_server.count(index)
    finally:
        assert handler.stop(30)


def test_the_example_is_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``examples/elasticsearch.yaml`` configures logging as it stands, and without a server nothing goes wrong."""
    yaml = pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[3] / "examples" / "elasticsearch.yaml"
    logging.config.dictConfig(yaml.safe_load(example.read_text()))
    made = [ref() for ref in logging._handlerList]
    (handler,) = (
        each for each in made if isinstance(each, ElasticsearchHandler) and each.name == "elasticsearch"
    )
    options = handler.options
    assert "shop-logs-%Y.%m.%d" == options.index_pattern


def test_the_documentation_names_every_option() -> None:
    """``docs/elasticsearch.md`` has every option with its default."""
    text = (Path(__file__).parents[3] / "docs" / "elasticsearch.md").read_text()
    for item in fields(ElasticsearchOptions):
        if item.init:
            assert f"`{item.name}`" in text
