"""``otel-stdlib pipe``: from a topic to a file, with processes that are killed."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from otel_stdlib.cli.given import parse_record
from otel_stdlib.cli.pipe import read_source
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.kafka.message import messages
from otel_stdlib.handlers.kafka.naming import TopicPattern
from tests.handlers.elasticsearch.helpers import make_batch, make_frame, make_frames
from tests.handlers.kafka.helpers import destination
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import KafkaBroker
from tests.support import eventually


def start(source: str, target: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    """The command as a process."""
    command = [sys.executable, "-m", "otel_stdlib.cli", "pipe", source, target, "--directory", str(folder)]
    return subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True)


def lines(path: Path) -> Counter[str]:
    """How often each uid is in a file."""
    text = path.read_text() if path.exists() else ""
    return Counter(json.loads(line)["attributes"]["log.record.uid"] for line in text.split("\n")[:-1])


def fill(broker: KafkaBroker, topic: str, count: int) -> list[str]:
    """Put records into a topic; their uids."""
    target = destination(broker.bootstrap, topic)
    batch = make_batch(make_frames(count))
    assert target.deliver(batch) is None
    target.close()
    return [batch.uid(frame) for frame in batch.frames]


@pytest.fixture
def wide(kafka_broker: KafkaBroker) -> str:
    """A topic with three partitions."""
    name = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(name, 3)
    return name


def test_from_a_topic_to_a_file(kafka_broker: KafkaBroker, wide: str, tmp_path: Path) -> None:
    """Records of several spools, over three partitions, reach a file once; foreign messages are dead letters."""
    wanted = fill(kafka_broker, wide, 500) + fill(kafka_broker, wide, 300)
    from confluent_kafka import Producer

    foreign = Producer({"bootstrap.servers": kafka_broker.bootstrap})
    foreign.produce(wide, b"not ours")
    foreign.flush(20)
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\nhandlers:\n  file:\n    class: otel_stdlib.handlers.JSONLFileHandler\n"
        f"    filename: {tmp_path}/out.jsonl\n"
    )
    source = f"kafka://{kafka_broker.bootstrap}/{wide}?group=g-{wide}"
    for _ in range(2):  # the second time there is nothing left
        with start(source, str(config), tmp_path, "--idle", "8") as process:
            assert process.stderr is not None
            said = process.stderr.read()
        assert process.returncode == 0, said
    assert lines(tmp_path / "out.jsonl") == dict.fromkeys(wanted, 1)
    (letters,) = (tmp_path / "dead-letters").glob("*.jsonl")
    assert "not ours" in letters.read_text()


def test_killed_bridges_lose_and_double_nothing_in_elasticsearch(
    kafka_broker: KafkaBroker, elasticsearch_server: Elasticsearch, wide: str, tmp_path: Path
) -> None:
    """SIGKILL at any moment: what was read is read again, and its uid is its document's id."""
    wanted = fill(kafka_broker, wide, 3_000)
    source = f"kafka://{kafka_broker.bootstrap}/{wide}?group=g-{wide}&session.timeout.ms=6000"
    target = elasticsearch_server.url.replace("http:", "elasticsearch:") + f"/{wide}"
    with start(source, target, tmp_path) as process:
        eventually(lambda: count(elasticsearch_server, wide) > 0, 40)
        process.kill()
    with start(source, target, tmp_path) as process:
        assert process.stderr is not None
        # The killed one may have delivered all: only from this line on SIGTERM is an orderly end.
        assert process.stderr.readline().startswith(f"reading {wide} in the group ")
        eventually(lambda: count(elasticsearch_server, wide) >= len(wanted), 60, 0.1)
        process.terminate()
        assert process.wait(60) == 0
    assert sorted(hit["_id"] for hit in elasticsearch_server.hits(wide)) == sorted(wanted)


def count(server: Elasticsearch, index: str) -> int:
    """Documents that can be found; 0 without the index."""
    server.request("POST", f"/{index}/_refresh")
    answer = server.request("POST", f"/{index}/_count")
    return int(answer.body["count"]) if answer.status == 200 else 0


def test_a_message_is_taken_apart_as_it_was_put_together() -> None:
    """Payload, uid and resource come out byte for byte."""
    batch = make_batch([make_frame(7, "x", user="ü")])
    ((_, _, value, key, _, _),) = messages(batch.frames, batch.origin, TopicPattern("logs"))
    found = parse_record(value, key, 5, "x")
    assert found is not None
    assert (found.origin, found.frame.lsn, found.frame.payload) == (
        replace(batch.origin, apart="x"),
        7_000,
        batch.frames[0].payload,
    )
    for wrong, uid in (
        (b"{}", key),
        (value, None),
        (value[:-2], key),
        (None, b""),
    ):
        assert parse_record(wrong, uid, 5, "x") is None


@pytest.mark.parametrize("url", ["http://a:1/t", "kafka://a:1", "kafka:///t", "kafka://user:pass@a:1/t"])
def test_wrong_sources_are_refused(url: str) -> None:
    """An address needs brokers and a topic, and holds no password."""
    with pytest.raises(ConfigError, match="kafka://host:port/topic"):
        read_source(url)
