"""Faults while records are delivered; at the end messages are counted by uid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_stdlib.spool.frame import Frame
from tests.handlers.elasticsearch.helpers import ListSource, make_frame
from tests.handlers.kafka.helpers import QUICK, destination, settled, stored_uids, working
from tests.servers.kafka import KafkaBroker
from tests.support import eventually, needs_kafka

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
FORKING = """
import json, logging.config, os, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
log = logging.getLogger("app")
handler = logging.getLogger().handlers[0]
log.info("parent")
assert handler.flush(60)
child = os.fork()
log.info("child" if child == 0 else "parent again")
assert handler.flush(60)
assert handler.stop(30)
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
"""

RECONFIGURING = """
import json, logging.config, sys
former = []
for round_, given in enumerate(sys.argv[1:]):
    logging.config.dictConfig(json.loads(given))
    former += logging.getLogger().handlers
    for number in range(50):
        logging.getLogger("app").info("%d-%d", round_, number)
assert all(handler.stop(60) for handler in former)
"""


def numbered(start: int, count: int) -> list[Frame]:
    """Records with consecutive numbers."""
    return [make_frame(n, n=n) for n in range(start, start + count)]


def config(server: str, topic: str, **options: object) -> str:
    """A ``dictConfig`` with the handler on the root."""
    handler = {
        "class": "otel_stdlib.handlers.KafkaHandler",
        "bootstrap_servers": server,
        "topic": topic,
        **QUICK,
        **options,
    }
    root = {"level": "INFO", "handlers": ["kafka"]}
    return json.dumps(
        {"version": 1, "disable_existing_loggers": False, "handlers": {"kafka": handler}, "root": root}
    )


@pytest.mark.fault
@pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactional"])
def test_broker_killed_and_restarted_under_load(
    kafka_node: Callable[..., KafkaBroker], transactional: bool, tmp_path: Path
) -> None:
    """SIGKILL of the broker in the middle, twice: every record is there, none twice."""
    node = kafka_node()
    node.create_topic("load")
    source = ListSource(numbered(0, 2_000))
    target = destination(node.bootstrap, "load", transactional=transactional, batch_records=100)
    with working(target, source, dead=tmp_path / "dead") as worker:
        for round_ in range(1, 3):
            done = source.cursor
            eventually(lambda done=done: source.cursor > done, 40, 0.001)
            node.kill()
            source.add(numbered(2_000 * round_, 2_000))
            node.start()
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 0
    # What a transaction hides that the kill left open, until the broker ends it.
    eventually(lambda: set(source.uids()) <= set(stored_uids(node, "load")), 45, 0.5)
    counts = stored_uids(node, "load")
    assert {uid: count for uid, count in counts.items() if count > 1} == {}


@pytest.mark.fault
@pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactional"])
def test_application_killed_in_the_middle(
    kafka_broker: KafkaBroker, topic: str, transactional: bool, tmp_path: Path
) -> None:
    """SIGKILL while delivering, four times: none lost; none doubled with transactions."""
    given = config(kafka_broker.bootstrap, topic, transactional=transactional, batch_records=50)
    accepted = tmp_path / "accepted"
    for kill in (True, True, True, True, False):
        before = accepted.stat().st_size if accepted.exists() else 0
        command = [sys.executable, "-c", APPLICATION, given, str(accepted)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            if kill:
                stored = sum(stored_uids(kafka_broker, topic).values())
                process.stdin.write("3000\n")
                process.stdin.flush()
                eventually(lambda b=before: accepted.exists() and accepted.stat().st_size > b + 1_000)
                eventually(lambda stored=stored: sum(stored_uids(kafka_broker, topic).values()) > stored, 60)
                process.kill()
                continue
            wanted = set(accepted.read_text().split())
            eventually(lambda wanted=wanted: wanted <= set(numbers(kafka_broker, topic)), 40, 0.2)
            process.stdin.close()
            assert process.wait(60) == 0
    doubled = sum(count - 1 for count in stored_uids(kafka_broker, topic).values())
    print(f"doubled: {doubled}")
    assert doubled == 0 if transactional else doubled <= 4 * 50


def numbers(broker: KafkaBroker, topic: str) -> Counter[str]:
    """What the application wrote into ``accepted``, from the topic."""
    found = (json.loads(message.value() or b"")["attributes"] for message in broker.messages(topic))
    return Counter(f"{entry['pid']}-{entry['n']}" for entry in found if "n" in entry)


def test_forked_child_has_a_producer_of_its_own(kafka_broker: KafkaBroker, topic: str) -> None:
    """A fork after delivery began: parent and child both deliver and end, each once."""
    given = config(kafka_broker.bootstrap, topic)
    subprocess.run([sys.executable, "-c", FORKING, given], check=True, timeout=60)
    bodies = Counter(json.loads(message.value() or b"")["body"] for message in kafka_broker.messages(topic))
    assert bodies == {"parent": 1, "parent again": 1, "child": 1}


@pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactional"])
def test_reconfigured_in_the_middle_loses_nothing(
    kafka_broker: KafkaBroker, topic: str, transactional: bool
) -> None:
    """``dictConfig`` again, with other options of the same topic: every record arrives once."""
    given = [
        config(kafka_broker.bootstrap, topic, transactional=transactional, batch_records=10 + n)
        for n in range(4)
    ]
    subprocess.run([sys.executable, "-c", RECONFIGURING, *given], check=True, timeout=90)
    bodies = Counter(json.loads(message.value() or b"")["body"] for message in kafka_broker.messages(topic))
    assert Counter(f"{r}-{n}" for r in range(4) for n in range(50)) == bodies


@needs_kafka
def test_stop_does_not_hang_with_a_dead_broker() -> None:
    """Nobody answers: the log call, ``flush``, ``close`` and the end of the process all return."""
    program = (
        "import json, logging.config, sys, time\n"
        "logging.config.dictConfig(json.loads(sys.argv[1]))\n"
        "handler = logging.getLogger().handlers[0]\n"
        "logging.getLogger('app').info('x')\n"
        "assert not handler.flush(0.5)\n"
        "deadline = time.monotonic() + 20\n"
        "while 'Connection refused' not in str(handler.health()) and time.monotonic() < deadline:\n"
        "    time.sleep(0.05)\n"
        "print(handler.health())\n"
        "handler.close()\n"
        "assert not handler.stop(1.0)\n"
    )
    given = config("127.0.0.1:1", "logs", timeout=1.0)
    done = subprocess.run(
        [sys.executable, "-c", program, given], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Connection refused" in done.stdout
    assert "rdkafka" not in done.stderr
