"""OTLP/gRPC to a real Collector: certificates, sizes, outages and forks."""

from __future__ import annotations

import json
import logging
import logging.config
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import OTLPHandler
from tests.handlers.otlp.grpc_parts import to
from tests.handlers.otlp.parts import make_batch, numbered
from tests.handlers.otlp.test_faults import arrived, config
from tests.servers.collector import OtelCollector
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority
from tests.support import eventually


def test_client_certificates(
    otel_collector_node: Callable[..., OtelCollector], authority: Authority, tmp_path: Path
) -> None:
    """With authority and client certificate records arrive; without either they wait."""
    node = otel_collector_node(authority=authority, client_certificates=True)
    own = authority.issue(tmp_path, name="client")
    both = tmp_path / "both.pem"
    both.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    files = {
        "certificate": str(node.ca_certs),
        "client_certificate": str(own.certificate),
        "client_key": str(own.key),
    }
    one = {"certificate": files["certificate"], "client_certificate": str(both)}
    batch = make_batch(numbered(20))
    for missing in ({"certificate"}, {"client_certificate", "client_key"}):
        target = to(node.grpc_endpoint, **{k: v for k, v in files.items() if k not in missing})
        with pytest.raises(RetryableError):
            target.deliver(batch)
        target.close()
    with pytest.raises(RetryableError, match="cannot make a channel"):
        to(node.grpc_endpoint, **{**files, "certificate": str(tmp_path / "nothing.pem")}).open()
    for count, given in enumerate((files, one), 1):
        target = to(node.grpc_endpoint, compression="gzip", **given)
        assert target.deliver(batch) is None
        assert 20 * count == len(node.arrived())
        target.close()


def test_a_message_too_large_for_a_collector(otel_collector: OtelCollector) -> None:
    """Its own refusal of more than 4 MiB makes the requests smaller."""
    target = to(otel_collector.grpc_endpoint)
    batch = make_batch(numbered(10, text="x" * 16_000, more=["y" * 16_000] * 40))
    before = len(otel_collector.arrived())
    assert target.deliver(batch) is None
    assert target.counters.get("split") > 0
    assert 10 == len(otel_collector.arrived()) - before
    target.close()


def test_an_outage_in_the_middle(otel_collector: OtelCollector, proxy: Callable[[str, int], Proxy]) -> None:
    """Cut off and back, several times: every record arrives, and more than once only what had no answer."""
    door = proxy(otel_collector.host, otel_collector.grpc_port)
    logging.config.dictConfig(
        config(f"http://127.0.0.1:{door.port}", queue=False, protocol="grpc", timeout=2.0, batch_records=20)
    )
    (handler,) = (h for h in logging.getLogger().handlers if isinstance(h, OTLPHandler))
    for round_ in range(4):
        for number in range(100):
            logging.getLogger("app").info("cut %d-%d", round_, number)
        door.stop()
        for number in range(100, 150):
            logging.getLogger("app").info("cut %d-%d", round_, number)
        door.start()
    assert handler.flush(30), handler.health()
    unknown = handler.health()["counts"].get("unknown", 0)
    assert handler.stop(10)
    found = Counter(body for body, _ in arrived(otel_collector, "cut "))
    assert {f"cut {r}-{n}" for r in range(4) for n in range(150)} == set(found)
    assert sum(found.values()) - len(found) <= unknown


def test_a_forked_child_has_a_channel_of_its_own(otel_collector: OtelCollector, tmp_path: Path) -> None:
    """Parent and child deliver their own records, each once."""
    program = (
        "import json, logging.config, os, sys\n"
        "logging.config.dictConfig(json.loads(sys.argv[1]))\n"
        "(h,) = [h for h in logging.getLogger().handlers if type(h).__name__ == 'OTelQueueHandler']\n"
        "log = logging.getLogger('app')\n"
        "log.info('forked before'); assert h.flush(10)\n"
        "for number in range(5):\n"
        "    child = os.fork()\n"
        "    log.info('forked %s %d', 'child' if child == 0 else 'parent', number)\n"
        "    done = h.flush(10)\n"
        "    if child == 0: os._exit(0 if done and h.stop(10) else 3)\n"
        "    assert os.waitpid(child, 0)[1] == 0 and done\n"
        "assert h.stop(10)\n"
    )
    given = json.dumps(config(otel_collector.grpc_endpoint, protocol="grpc"))
    done = subprocess.run(
        [sys.executable, "-c", program, given], capture_output=True, text=True, timeout=90, check=False
    )
    assert 0 == done.returncode, done.stderr
    wanted = {"forked before": 1} | {f"forked {who} {n}": 1 for who in ("child", "parent") for n in range(5)}
    eventually(lambda: wanted == Counter(body for body, _ in arrived(otel_collector, "forked ")))
