"""What brokers answer, by a real one with ACLs and without automatic topics: each row of the table of answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.handlers.elasticsearch.helpers import ListSource, make_frames
from tests.handlers.kafka.helpers import destination, settled, stored_uids, working
from tests.proof.answers import STORED, WAITS, rows_of
from tests.servers.cache import Unavailable
from tests.servers.kafka import KafkaBroker
from tests.servers.require import missing
from tests.support import eventually, needs_kafka

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]

pytestmark = [pytest.mark.server, needs_kafka]

ROWS = rows_of("Kafka")
SETTINGS = {
    "auto.create.topics.enable": "false",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """One for all cases: the account of its listener with a password may do nothing by itself."""
    try:
        node = KafkaBroker(SETTINGS)
    except Unavailable as reason:
        missing("Kafka", reason)
    with node:
        node.start()
        yield node


class Place(NamedTuple):
    """A broker, and the name of a topic for one case."""

    broker: KafkaBroker
    topic: str

    @property
    def admin(self) -> AdminClient:
        """Of the super user."""
        from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]

        return AdminClient({"bootstrap.servers": self.broker.bootstrap})

    @property
    def account(self) -> dict[str, str]:
        """Settings of a client with the account that needs rights."""
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": self.broker.user,
            "sasl.password": self.broker.password,
        }


Step = Callable[[Place], None]


def nothing(place: Place) -> None:
    """There is nothing to do."""


def create(place: Place) -> None:
    """Make the topic."""
    place.broker.create_topic(place.topic)


def delete(place: Place) -> None:
    """Delete it."""
    admin = place.admin  # named: its requests end with it
    admin.delete_topics([place.topic])[place.topic].result(60)


def grant(*kinds: str) -> Step:
    """Every right of a kind for the account: on the topic, on transactional ids, on groups."""

    def do(place: Place) -> None:
        from confluent_kafka.admin import (
            AclBinding,
            AclOperation,
            AclPermissionType,
            ResourcePatternType,
            ResourceType,
        )

        admin = place.admin
        for kind in kinds:
            binding = AclBinding(
                getattr(ResourceType, kind),
                place.topic if kind == "TOPIC" else "otel_stdlib-",
                ResourcePatternType.LITERAL if kind == "TOPIC" else ResourcePatternType.PREFIXED,
                f"User:{place.broker.user}",
                "*",
                AclOperation.ALL,
                AclPermissionType.ALLOW,
            )
            for future in admin.create_acls([binding]).values():
                future.result(60)

    return do


def each(*steps: Step) -> Step:
    """Several."""

    def do(place: Place) -> None:
        for step in steps:
            step(place)

    return do


class State(NamedTuple):
    """How a situation begins, before the first record or after some, and how it ends."""

    before: Step
    begin: Step
    end: Step
    account: bool = False
    more: dict[str, Any] = {}


TRANSACTIONAL = {"transactional": True}
WAITING = {
    "topic": State(nothing, nothing, create),
    "topic_transactional": State(nothing, nothing, create, more=TRANSACTIONAL),
    "deleted": State(create, delete, create),
    "topic_right": State(create, nothing, grant("TOPIC"), account=True),
    "transaction_right": State(
        each(create, grant("TOPIC")),
        nothing,
        grant("TRANSACTIONAL_ID", "GROUP"),
        account=True,
        more=TRANSACTIONAL,
    ),
}


@pytest.mark.parametrize("key", WAITING)
def test_records_wait(
    broker: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """None is given up, the breaker opens, it is reported; when the cause is gone all are stored once."""
    row, state = ROWS[key], WAITING[key]
    assert row.happens == WAITS
    broker.ensure_running()
    place = Place(broker, f"test-{secrets.token_hex(6)}")
    state.before(place)
    where, client = (broker.sasl_bootstrap, place.account) if state.account else (broker.bootstrap, {})
    target = destination(
        where,
        place.topic,
        client=client,
        **{"timeout": 3.0, "max_retries": 2, "circuit_breaker_threshold": 2, **state.more},
    )
    target.name = f"kafka {place.topic}"
    first = state.begin is not nothing
    source = ListSource(make_frames(20) if first else [])
    with working(target, source, dead=tmp_path / "dead") as worker:
        if first:
            eventually(lambda: settled(source), 60)
        state.begin(place)
        source.add(make_frames(50)[len(source.frames) :])
        eventually(lambda: row.reported in str(worker.snapshot()["last_error"]), 60)
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
        eventually(lambda: row.reported in capsys.readouterr().err, 60)
        assert worker.snapshot()["failing"]
        state.end(place)
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 0
    kept = source.uids()[20:] if key == "deleted" else source.uids()
    assert not (tmp_path / "dead").exists()
    assert stored_uids(broker, place.topic) == dict.fromkeys(kept, 1)


def test_an_event_that_is_too_old_for_its_topic(broker: KafkaBroker, tmp_path: Path) -> None:
    """It is sent once more with the present as its time."""
    assert ROWS["timestamp"].happens == STORED
    topic = f"test-{secrets.token_hex(6)}"
    broker.create_topic(topic, message_timestamp_before_max_ms="3600000")
    source = ListSource(make_frames(20, at=1_700_000_000.0))
    with working(destination(broker.bootstrap, topic), source, dead=tmp_path / "dead") as worker:
        eventually(lambda: settled(source), 60)
        assert worker.snapshot()["rejected"] == 0
    assert stored_uids(broker, topic) == dict.fromkeys(source.uids(), 1)
