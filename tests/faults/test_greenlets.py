"""Processes that gevent or eventlet has patched: no destination stops their greenlets, and everything is delivered."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import accepted, conserve, run
from tests.servers.collector import OtelCollector
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database
from tests.servers.tls import Authority
from tests.support import eventually

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(sys.version_info >= (3, 15), reason="gevent and eventlet have no wheels yet"),
]

LIBRARIES = ["gevent", "eventlet"]
#: With ``pytest`` of this project warnings are errors, and eventlet's import warns that it is deprecated.
QUIET = {"PYTHONWARNINGS": "ignore"}

PATCH = """
import socket
silent = socket.socket(); silent.bind(("127.0.0.1", 0)); silent.listen(100)
port = silent.getsockname()[1]
def patch():
    if sys.argv[1] == "gevent":
        from gevent import monkey
        monkey.patch_all()
    else:
        import eventlet
        eventlet.monkey_patch()
"""

DOWN = (
    PATCH
    + """
if sys.argv[2] == "early": patch()
place = f"http://127.0.0.1:{port}"
away = {
    "kafka": {"class": "otel_stdlib.handlers.KafkaHandler", "bootstrap_servers": ["127.0.0.1:1"], "topic": "t"},
    "postgres": {"class": "otel_stdlib.handlers.PostgresHandler", "host": "127.0.0.1", "port": port,
                 "database": "x", "user": "u", "password": "p", "table_name": "t"},
    "elasticsearch": {"class": "otel_stdlib.handlers.ElasticsearchHandler", "hosts": [place]},
    "otlp": {"class": "otel_stdlib.handlers.OTLPHandler", "endpoint": place + "/v1/logs"},
    "grpc": {"class": "otel_stdlib.handlers.OTLPHandler", "endpoint": place, "protocol": "grpc"},
}
document = config()
document["handlers"].update(away)
document["handlers"]["queue"].update(handlers=["file", *away], shutdown_timeout=1.0)
logging.config.dictConfig(document)
say("first")
if sys.argv[2] == "late":
    while not os.path.exists(os.path.join(FOLDER, "out", "app.jsonl")): time.sleep(0.01)
    patch()
import threading  # now greenlets, as everything below
stalls = []
end = time.monotonic() + 8
def tick(until):
    before = time.monotonic()
    while not until():
        time.sleep(0.005)
        now = time.monotonic()
        stalls.append(now - before)
        before = now
def work(n):
    i = 0
    while time.monotonic() < end:
        say(f"{n}-{i}"); i += 1
        time.sleep(0.02)
greenlets = [threading.Thread(target=work, args=(n,)) for n in range(5)]
for each in greenlets: each.start()
time.sleep(3)  # the drivers are imported
over = False
ticker = threading.Thread(target=tick, args=(lambda: over,)); ticker.start()
for each in greenlets: each.join()
assert not queue_handler().flush(0.5)
assert not queue_handler().stop(0.5)
over = True
ticker.join()
print("STALL", max(stalls))
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["early", "late"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_destinations_that_do_not_answer_stop_no_greenlet(tmp_path: Path, library: str, order: str) -> None:
    """Five kinds of them, from the first record over ``flush`` and ``stop`` to the end of the process."""
    done = run(tmp_path, DOWN, arguments=(library, order), **QUIET)
    # It was 5 s with Kafka away and 10 s with PostgreSQL; a quiet machine shows some milliseconds.
    assert float(done.stdout.split("STALL")[1]) < 1.0
    assert [] == [line for line in done.stderr.splitlines() if not line.startswith("otel_stdlib: ")]
    conserve(tmp_path)
    assert accepted(tmp_path).total() > 100


@pytest.mark.parametrize("order", ["early", "late"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_records_before_and_after_the_patch_are_delivered_at_once(
    tmp_path: Path, library: str, order: str
) -> None:
    """A record before the patch, greenlets after it; nothing on stderr, from the threads' ends neither."""
    code = """
if sys.argv[2] == "early": patch()
configure()
say("first")
path = os.path.join(FOLDER, "out", "app.jsonl")
while not os.path.exists(path): time.sleep(0.01)
if sys.argv[2] == "late": patch()
import threading
def work(n):
    for i in range(50):
        say(f"{n}-{i}")
        time.sleep(0.001)
greenlets = [threading.Thread(target=work, args=(n,)) for n in range(5)]
for each in greenlets: each.start()
for each in greenlets: each.join()
deadline = time.monotonic() + 60
while sum(1 for _ in open(path)) < 251:
    assert time.monotonic() < deadline, queue_handler().health()
    time.sleep(0.01)
say("last")
assert queue_handler().flush(60)
# In the hub itself no greenlet can wait, and a flush there still ends.
if sys.argv[1] == "gevent":
    import gevent
    answers = []
    gevent.get_hub().loop.run_callback(lambda: answers.append(queue_handler().flush(60)))
    while not answers: time.sleep(0.01)
    assert answers == [True]
"""
    done = run(tmp_path, PATCH + code, arguments=(library, order), **QUIET)
    assert "" == done.stderr
    conserve(tmp_path)
    assert accepted(tmp_path).total() == 252


def test_the_locks_of_a_running_spool_stay(tmp_path: Path) -> None:
    """Eventlet puts a lock of its own in the place of each RLock that it finds, also in handlers that run."""
    code = """
configure()
say("first")
pipeline = queue_handler().pipeline
holders = [pipeline, pipeline.counters, pipeline._generation.spool]
locks = [id(holder._lock) for holder in holders]  # no list of locks: it looks into lists, too
patch()
assert locks == [id(holder._lock) for holder in holders]
say("last")
"""
    done = run(tmp_path, PATCH + code, arguments=("eventlet",), **QUIET)
    assert "" == done.stderr
    conserve(tmp_path)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_driver_logs_on_our_thread_is_not_delivered(tmp_path: Path, library: str) -> None:
    """Patched late, ``threading`` does not know the thread's name any more; it must not feed itself."""
    code = """
from otel_stdlib.facts.threads import Event, Thread
configure()
say("first")
go, gone = Event(), Event()
def work():
    go.wait(60)
    log.info("from a thread of ours")
    gone.set()
thread = Thread(work, "otel-stdlib-test")
thread.start()
patch()
go.set()
while not gone.is_set(): time.sleep(0.01)
assert thread.join(60)
say("last")
"""
    run(tmp_path, PATCH + code, arguments=(library,), **QUIET)
    conserve(tmp_path)
    assert accepted(tmp_path).total() == 2


SEND = """
if sys.argv[1] != "none": patch()
document = config()
document["handlers"]["other"] = json.loads(sys.argv[2])
document["handlers"]["queue"]["handlers"] = ["other"]
logging.config.dictConfig(document)
import threading
def work(n):
    for i in range(40): log.info(f"{n}-{i} " + chr(92) + "'" + chr(9) + chr(10) + chr(233)); time.sleep(0.002)
greenlets = [threading.Thread(target=work, args=(n,)) for n in range(5)]
for each in greenlets: each.start()
for each in greenlets: each.join()
assert queue_handler().flush(60), queue_handler().health()
(found,) = queue_handler().health()["destinations"].values()
assert found["sent"] == 200, found
"""


def send(folder: Path, library: str, options: dict[str, Any], before: str = "") -> None:
    """Log 200 records in greenlets to one destination, and see them stored."""
    done = run(
        folder, PATCH + "import json\n" + before + SEND, arguments=(library, json.dumps(options)), **QUIET
    )
    assert "" == done.stderr


@pytest.mark.server
@pytest.mark.parametrize("library", LIBRARIES)
class TestServers:
    def test_elasticsearch(self, tmp_path: Path, library: str, elasticsearch_secure: Elasticsearch) -> None:
        """Over TLS: the sockets, the resolver and the certificates are the process's real ones."""
        index = f"test-{library}-{os.urandom(4).hex()}"
        send(
            tmp_path,
            library,
            {
                "class": "otel_stdlib.handlers.ElasticsearchHandler",
                "hosts": [elasticsearch_secure.url],
                "basic_auth": ["elastic", elasticsearch_secure.password],
                "ca_certs": str(elasticsearch_secure.ca_certs),
                "index_pattern": index,
            },
        )
        assert elasticsearch_secure.count(index) == 200

    def test_postgres(self, tmp_path: Path, library: str, postgres_database: Database) -> None:
        """Libpq waits in C, on a thread that is nobody's hub."""
        send(
            tmp_path,
            library,
            {"class": "otel_stdlib.handlers.PostgresHandler", "dsn": postgres_database.dsn},
            # What psycogreen does under gevent, and eventlet's own patch.
            """
if sys.argv[1] == "gevent":
    import psycopg2.extensions
    from gevent.socket import wait_read, wait_write
    def wait_callback(connection):
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            (wait_read if state == psycopg2.extensions.POLL_READ else wait_write)(connection.fileno())
    psycopg2.extensions.set_wait_callback(wait_callback)
""",
        )
        found = {body for (body,) in postgres_database.execute("SELECT body FROM otel_logs")}
        assert {f"{n}-{i} \\'\t\n\u00e9" for n in range(5) for i in range(40)} == found

    def test_kafka(self, tmp_path: Path, library: str, kafka_broker: KafkaBroker) -> None:
        """Librdkafka waits in C as well."""
        topic = f"test-{library}-{os.urandom(4).hex()}"
        kafka_broker.create_topic(topic, 2)
        send(
            tmp_path,
            library,
            {
                "class": "otel_stdlib.handlers.KafkaHandler",
                "bootstrap_servers": [kafka_broker.bootstrap],
                "topic": topic,
            },
        )

    @pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
    def test_otlp(
        self,
        tmp_path: Path,
        library: str,
        protocol: str,
        authority: Authority,
        otel_collector_node: Callable[..., OtelCollector],
    ) -> None:
        """Over TLS, by both protocols."""
        collector = otel_collector_node(authority=authority)
        place = collector.endpoint if protocol == "http/protobuf" else collector.grpc_endpoint
        send(
            tmp_path,
            library,
            {
                "class": "otel_stdlib.handlers.OTLPHandler",
                "endpoint": place,
                "protocol": protocol,
                "certificate": str(collector.ca_certs),
            },
        )
        eventually(lambda: len(collector.arrived()) == 200, 60)
