"""Against a real broker: what is stored, what is refused, what waits."""

from __future__ import annotations

import secrets
from pathlib import Path

import orjson
import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError
from tests.handlers.elasticsearch.helpers import ListSource, make_batch, make_frame, make_frames, verdicts
from tests.handlers.kafka.helpers import destination, header, settled, stored_uids, working
from tests.servers.kafka import KafkaBroker
from tests.support import eventually

BOTH = pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactional"])


@BOTH
def test_every_record_is_there_once(
    kafka_broker: KafkaBroker, topic: str, transactional: bool, tmp_path: Path
) -> None:
    """A thousand records arrive once, whole, with their headers, in order."""
    source = ListSource(make_frames(1_000))
    target = destination(kafka_broker.bootstrap, topic, transactional=transactional, batch_records=300)
    with working(target, source, dead=tmp_path / "dead"):
        eventually(lambda: settled(source), 60)
    found = kafka_broker.messages(topic)
    assert source.uids() == [header(message, "log.record.uid") for message in found]
    assert list(range(1_000)) == [
        orjson.loads(message.value() or b"")["attributes"]["n"] for message in found
    ]
    assert header(found[0], "content-type") == "application/json"


@BOTH
def test_tenants_have_topics_of_their_own(
    kafka_broker: KafkaBroker, transactional: bool, tmp_path: Path
) -> None:
    """``{tenant}`` in the topic sends each record to its tenant's; the broker makes the topics."""
    prefix = f"test-{secrets.token_hex(6)}"
    source = ListSource([make_frame(n, tenant=f"t {n % 2}") for n in range(10)])
    target = destination(kafka_broker.bootstrap, prefix + ".{tenant}", transactional=transactional)
    with working(target, source, dead=tmp_path / "dead"):
        eventually(lambda: settled(source), 60)
    counts = [
        sum(stored_uids(kafka_broker, target.options.naming.name(source.frames[n], {})).values())
        for n in (0, 1)
    ]
    assert counts == [5, 5]


@BOTH
def test_a_record_too_large_for_the_client(
    kafka_broker: KafkaBroker, topic: str, transactional: bool, tmp_path: Path
) -> None:
    """One record beyond ``message.max.bytes`` is a dead letter; the others are stored once."""
    frames = make_frames(100)
    frames[50] = make_frame(50, "x" * 20_000)
    source = ListSource(frames)
    target = destination(
        kafka_broker.bootstrap, topic, transactional=transactional, client={"message.max.bytes": 10_000}
    )
    with working(target, source, dead=tmp_path / "dead") as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 1
    uids = source.uids()
    assert stored_uids(kafka_broker, topic) == dict.fromkeys([*uids[:50], *uids[51:]], 1)


@BOTH
def test_a_record_too_large_for_the_topic(
    kafka_broker: KafkaBroker, transactional: bool, tmp_path: Path
) -> None:
    """A broker refuses whole message sets; only the record that is too large by itself is rejected."""
    topic = f"test-{secrets.token_hex(6)}"
    kafka_broker.create_topic(topic, max_message_bytes="4000")
    frames = make_frames(200)
    frames[120] = make_frame(120, "x" * 20_000)
    source = ListSource(frames)
    target = destination(kafka_broker.bootstrap, topic, transactional=transactional)
    with working(target, source, dead=tmp_path / "dead") as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 1
        source.add([make_frame(n, n=n) for n in range(1_000, 1_050)])
        eventually(lambda: settled(source), 60)
    uids = source.uids()
    assert stored_uids(kafka_broker, topic) == dict.fromkeys([*uids[:120], *uids[121:]], 1)
    letters = [orjson.loads(line) for line in (tmp_path / "dead").read_bytes().splitlines()]
    assert [uids[120]] == [letter["uid"] for letter in letters]
    assert "TOO_LARGE" in letters[0]["reason"]


@BOTH
def test_an_unknown_topic_waits(kafka_node: object, transactional: bool, tmp_path: Path) -> None:
    """Where brokers make no topics, records wait and say so; when the topic is there, they are delivered."""
    node = kafka_node({"auto.create.topics.enable": "false"})  # type: ignore[operator]
    source = ListSource(make_frames(20))
    target = destination(node.bootstrap, "missing", transactional=transactional)
    with working(target, source, dead=tmp_path / "dead") as worker:
        eventually(lambda: "missing" in str(worker.snapshot()["last_error"]), 60)
        assert source.cursor == 0
        node.create_topic("missing")
        eventually(lambda: settled(source), 40)
        assert worker.snapshot()["rejected"] == 0
    assert stored_uids(node, "missing") == dict.fromkeys(source.uids(), 1)


def test_a_wrong_password_is_said_and_waits(kafka_broker: KafkaBroker, topic: str) -> None:
    """Authentication failure is a retry with the reason and without the password; the right one delivers."""
    client = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": kafka_broker.user,
        "sasl.password": "wr0ng-hunter2",
    }
    target = destination(kafka_broker.sasl_bootstrap, topic, client=client, timeout=2.0)
    with pytest.raises(RetryableError, match=r"(?i)authentication") as caught:
        target.open()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(RetryableError):
        target.deliver(make_batch(make_frames(3)))
    target.close()
    good = destination(
        kafka_broker.sasl_bootstrap, topic, client={**client, "sasl.password": kafka_broker.password}
    )
    good.open()
    assert good.deliver(make_batch(make_frames(3))) is None
    good.close()


def test_a_late_report_is_waited_for_and_not_sent_again(kafka_broker: KafkaBroker, topic: str) -> None:
    """A broker that is silent for longer than ``timeout`` gets every record once all the same."""
    target = destination(kafka_broker.bootstrap, topic, timeout=0.5)
    target.open()
    batch = make_batch(make_frames(50))
    kafka_broker.pause()
    eventually(lambda: _silent(target), 60)
    for _ in range(2):
        with pytest.raises(RetryableError, match="no delivery report"):
            target.deliver(batch)
    kafka_broker.resume()
    eventually(lambda: _delivered(target, batch), 60)
    target.close()
    assert set(stored_uids(kafka_broker, topic).values()) == {1}
    assert len(stored_uids(kafka_broker, topic)) == 50
    assert target.counters.get("producers") == 1


def _silent(target: object) -> bool:
    try:
        target.open()  # type: ignore[attr-defined]
    except RetryableError:
        return True
    return False


def _delivered(target: object, batch: object) -> bool:
    try:
        return target.deliver(batch) is None  # type: ignore[attr-defined]
    except RetryableError:
        return False


def test_a_full_queue_of_the_client_is_waited_for(kafka_broker: KafkaBroker, topic: str) -> None:
    """More records than librdkafka's queue holds are handed over as it empties."""
    target = destination(kafka_broker.bootstrap, topic, client={"queue.buffering.max.messages": 10})
    target.open()
    assert target.deliver(make_batch(make_frames(200))) is None
    target.close()
    assert len(stored_uids(kafka_broker, topic)) == 200


@BOTH
def test_an_unreadable_record_is_found_by_halving(
    kafka_broker: KafkaBroker, topic: str, transactional: bool, tmp_path: Path
) -> None:
    """A frame that is no record cannot name its topic: it alone becomes a dead letter."""
    target = destination(kafka_broker.bootstrap, topic + ".{tenant}", transactional=transactional)
    frames = [make_frame(n, tenant="t") for n in range(10)]
    frames[3] = frames[3]._replace(payload=b"nonsense")
    with pytest.raises(PermanentError, match="cannot be read"):
        target.deliver(make_batch(frames[3:4]))
    target.close()
    source = ListSource(frames)
    target = destination(kafka_broker.bootstrap, topic + ".{tenant}", transactional=transactional)
    with working(target, source, dead=tmp_path / "dead") as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 1
    uids = source.uids()
    assert stored_uids(kafka_broker, topic + ".t") == dict.fromkeys([*uids[:3], *uids[4:]], 1)


def test_the_cursor_is_read_back_and_deleted(kafka_broker: KafkaBroker, topic: str) -> None:
    """A second destination begins where the first one's last transaction ended; ``forget`` deletes it."""
    first = destination(kafka_broker.bootstrap, topic, transactional=True)
    batch = make_batch(make_frames(10))
    assert first.position(batch.origin) is None
    assert first.deliver(batch) is None
    second = destination(kafka_broker.bootstrap, topic, transactional=True)
    assert second.position(batch.origin) == batch.end
    assert set(verdicts(second.deliver(batch))) == {Verdict.DUPLICATE}
    # The first is fenced: it fails, looks, and knows.
    more = make_batch([make_frame(n) for n in range(10, 20)], batch.origin)
    with pytest.raises(RetryableError):
        first.deliver(more)
    assert first.position(batch.origin) == batch.end
    assert first.deliver(more) is None

    def is_forgotten() -> bool:
        # The brokers refuse while the last transaction is still ending; then it is tried again.
        first.forget(batch.origin)
        return first.position(batch.origin) is None

    eventually(is_forgotten, 60)
    first.close()
    second.close()
    assert set(stored_uids(kafka_broker, topic).values()) == {1}


def test_a_kill_before_the_dead_letter_comes_back_to_it(kafka_broker: KafkaBroker, topic: str) -> None:
    """The cursor has a hole where a record was refused: the next process rejects it again and doubles nothing."""
    client = {"message.max.bytes": 10_000}
    frames = make_frames(30)
    frames[10] = make_frame(10, "x" * 20_000)
    batch = make_batch(frames)
    first = destination(kafka_broker.bootstrap, topic, transactional=True, client=client)
    assert verdicts(first.deliver(batch)).count(Verdict.REJECTED) == 1
    first.close()
    second = destination(kafka_broker.bootstrap, topic, transactional=True, client=client)
    assert second.position(batch.origin) == frames[10].lsn
    again = make_batch(frames[10:], batch.origin)
    assert verdicts(second.deliver(again)) == [Verdict.REJECTED] + [Verdict.DUPLICATE] * 19
    second.close()
    assert sum(stored_uids(kafka_broker, topic).values()) == 29
