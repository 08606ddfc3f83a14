"""Killed applications and Collectors, certificates, and an SDK in the same process; counted by uid."""

from __future__ import annotations

import json
import logging
import logging.config
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import OTLPHandler
from tests.handlers.otlp.parts import QUICK, Gateway, destination, make_batch, numbered
from tests.handlers.otlp.values import lines_of
from tests.servers.collector import OtelCollector
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority
from tests.support import eventually

APPLICATION = """
import json, logging.config, os, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
log = logging.getLogger("app")
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
log.info("up")
print("up", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        body = f"{sys.argv[3]} {os.getpid()}-{number}"
        log.info(body)
        os.write(out, body.encode() + b"\\n")
"""


def config(url: str, *, queue: bool = True, **options: Any) -> dict[str, Any]:
    """A ``dictConfig`` with the handler behind a queue handler, or straight on the root."""
    handlers: dict[str, Any] = {
        "otlp": {"class": "otel_stdlib.handlers.OTLPHandler", "endpoint": url, **QUICK, **options}
    }
    if queue:
        handlers["queue"] = {"()": "otel_stdlib.OTelQueueHandler", "handlers": ["otlp"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": handlers,
        "root": {"level": "DEBUG", "handlers": ["queue" if queue else "otlp"]},
    }


def root_handler() -> Any:
    """The one handler of ours on the root logger."""
    (handler,) = (h for h in logging.getLogger().handlers if type(h).__module__.startswith("otel_stdlib"))
    return handler


def arrived(collector: OtelCollector, run: str) -> list[tuple[str, str]]:
    """Body and uid of every record of a run, as often as it came."""
    lines = lines_of(collector.arrived())
    return [
        (str(line["body"]), line["attributes"]["log.record.uid"])
        for line in lines
        if str(line["body"]).startswith(run)
    ]


@pytest.mark.fault
@pytest.mark.parametrize("queue", [True, False])
def test_application_killed_in_the_middle(
    otel_collector: OtelCollector, tmp_path: Path, proxy: Callable[[str, int], Proxy], queue: bool
) -> None:
    """SIGKILL while delivering, three times: nothing that was logged is missing, and what came twice has its uid."""
    door = proxy(otel_collector.host, otel_collector.http_port)
    door.slow(delay=0.01)
    given = json.dumps(config(f"http://127.0.0.1:{door.port}", queue=queue, batch_records=50, max_workers=1))
    accepted, run = tmp_path / "accepted", f"killed-{queue}-{tmp_path.name}"
    accepted.touch()

    def life(records: int) -> None:
        command = [sys.executable, "-c", APPLICATION, given, str(accepted), run]
        before = accepted.stat().st_size
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert "up\n" == process.stdout.readline()
            if not records:
                wanted = set(accepted.read_text().splitlines())
                eventually(lambda: wanted <= {body for body, _ in arrived(otel_collector, run)}, 60, 0.1)
                process.stdin.close()
                assert 0 == process.wait(60)
                return
            process.stdin.write(f"{records}\n")
            process.stdin.flush()
            eventually(lambda: accepted.stat().st_size > before + 5_000)
            process.kill()

    for _ in range(3):
        life(2_000)
    life(0)
    found = arrived(otel_collector, run)
    uids = Counter(uid for _, uid in found)
    assert len({body for body, _ in found}) == len(uids), "one uid for each record, however often it came"
    # A kill between an answer and the cursor doubles one request at most.
    assert sum(uids.values()) - len(uids) <= 3 * 50
    # A record may be logged and not yet noted when the signal comes.
    assert len(uids) <= len(accepted.read_text().splitlines()) + 3


@pytest.mark.fault
def test_collector_killed_and_restarted_under_load(otel_collector_node: Callable[..., OtelCollector]) -> None:
    """Every record is there after two kills; only requests without an answer came twice."""
    node = otel_collector_node()
    logging.config.dictConfig(config(node.endpoint, batch_records=100, max_workers=1, timeout=5))
    handler = root_handler()
    log = logging.getLogger("app")
    logged = threading.Event()
    count = 0

    def load() -> None:
        nonlocal count
        while not logged.wait(0.0005):
            log.info("load %d", count)
            count += 1

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(2):
            target = len(node.arrived()) + 300
            eventually(lambda: len(node.arrived()) >= target, 60)  # noqa: B023 - called before it changes
            node.kill()
            at = count
            eventually(lambda: count > at + 200, 60)  # noqa: B023 - the same
            node.start()
    finally:
        logged.set()
        thread.join()
    try:
        assert handler.flush(60), handler.health()
    finally:
        handler.stop(10)
    found = arrived(node, "load ")
    assert {f"load {number}" for number in range(count)} == {body for body, _ in found}
    uids = Counter(uid for _, uid in found)
    assert count == len(uids)
    assert sum(uids.values()) - count <= 2 * 100


def test_log_calls_do_not_wait_for_a_deaf_server(
    otel_collector: OtelCollector, proxy: Callable[[str, int], Proxy]
) -> None:
    """Calls, ``flush`` and ``close`` return; health tells; afterwards everything arrives."""
    door = proxy(otel_collector.host, otel_collector.http_port)
    door.deaf()
    logging.config.dictConfig(config(f"http://127.0.0.1:{door.port}", queue=False, timeout=0.3))
    handler = root_handler()
    for number in range(200):
        logging.getLogger("app").info("deaf %d", number)
    assert not handler.flush(0.1)
    eventually(lambda: "no answer from http://127.0.0.1" in str(handler.health()))
    assert handler.health()["counts"]["unknown"] > 0
    door.pass_through()
    assert handler.flush(60)
    assert handler.stop(30)
    assert {f"deaf {n}" for n in range(200)} <= {body for body, _ in arrived(otel_collector, "deaf ")}


def test_client_certificates(
    otel_collector_node: Callable[..., OtelCollector], authority: Authority, tmp_path: Path
) -> None:
    """With authority and client certificate records arrive; without either they wait."""
    node = otel_collector_node(authority=authority, client_certificates=True, max_request_body_size=20_000)
    own = authority.issue(tmp_path, name="client")
    files = {
        "certificate": str(node.ca_certs),
        "client_certificate": str(own.certificate),
        "client_key": str(own.key),
    }
    batch = make_batch(numbered(200))
    for missing in ({"certificate"}, {"client_certificate", "client_key"}):
        target = destination(node.endpoint, **{k: v for k, v in files.items() if k not in missing})
        with pytest.raises(RetryableError):
            target.deliver(batch)
        target.close()
    wrong = destination(node.endpoint, **{**files, "certificate": str(tmp_path / "nothing.pem")})
    with pytest.raises(RetryableError):
        wrong.deliver(batch)
    wrong.close()
    for protocol in ("http/protobuf", "http/json"):
        target = destination(node.endpoint, protocol=protocol, compression="gzip", **files)
        before = len(node.arrived())
        # 200 records are more than this Collector takes at once: its own refusal makes them smaller.
        outcomes = target.deliver(batch)
        assert outcomes is None, (outcomes[0], target.counters.snapshot())
        assert target.counters.get("split") > 0
        assert 200 == len(node.arrived()) - before
        target.close()


def test_no_span_and_no_log_of_the_delivery_itself(server: Gateway) -> None:
    """Beside an SDK whose instrumentation looks at HTTP clients, and with DEBUG on the root logger."""
    utils = pytest.importorskip("opentelemetry.instrumentation.utils")
    import urllib3

    enabled: list[bool] = []
    real = urllib3.connectionpool.HTTPConnectionPool.urlopen

    def watched(self: Any, *args: Any, **options: Any) -> Any:
        enabled.append(utils.is_http_instrumentation_enabled())
        return real(self, *args, **options)

    logging.config.dictConfig(config(server.url))
    handler = root_handler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.connectionpool.HTTPConnectionPool, "urlopen", watched)
        logging.getLogger("app").info("one")
        assert handler.flush(60)
    assert handler.stop(30)
    assert [False] == enabled
    assert {"one": 1} == server.taken()
    assert utils.is_http_instrumentation_enabled()


def test_a_forked_child_has_a_connection_of_its_own(server: Gateway, tmp_path: Path) -> None:
    """Parent and child deliver their own records, each once."""
    program = (
        "import json, logging.config, os, sys\n"
        "logging.config.dictConfig(json.loads(sys.argv[1]))\n"
        "(h,) = [h for h in logging.getLogger().handlers if type(h).__name__ == 'OTelQueueHandler']\n"
        "log = logging.getLogger('app')\n"
        "log.info('before'); assert h.flush(60)\n"
        "child = os.fork()\n"
        "log.info('child' if child == 0 else 'parent')\n"
        "done = h.flush(10) and h.stop(10)\n"
        "if child == 0: os._exit(0 if done else 3)\n"
        "assert os.waitpid(child, 0)[1] == 0 and done\n"
    )
    command = [sys.executable, "-c", program, json.dumps(config(server.url))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    assert {"before": 1, "child": 1, "parent": 1} == server.taken()


def test_reconfigured_in_the_middle_loses_nothing(server: Gateway) -> None:
    """``dictConfig`` again, with other options of the same endpoint: every record arrives once."""
    for round_, protocol in enumerate(["http/protobuf"] * 4):
        given = config(server.url, protocol=protocol, batch_records=10 + round_)
        logging.config.dictConfig(given)
        for number in range(50):
            logging.getLogger("app").info("%d-%d", round_, number)
    handler = root_handler()
    eventually(lambda: 200 <= len(server.taken()), 60)
    assert handler.stop(30)
    assert Counter(f"{r}-{n}" for r in range(4) for n in range(50)) == server.taken()


def test_the_example_is_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``examples/otlp.yaml`` configures logging as it stands, and without a server nothing goes wrong."""
    yaml = pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[3] / "examples" / "otlp.yaml"
    logging.config.dictConfig(yaml.safe_load(example.read_text(encoding="utf-8")))
    made = [ref() for ref in logging._handlerList]
    (handler,) = (each for each in made if isinstance(each, OTLPHandler) and each.name == "otlp")
    assert ("otlp", "http://localhost:4318/v1/logs") == handler.identity
    assert "gzip" == handler.options.compression
