"""Connections that a load balancer has forgotten are not used again, whatever the destination."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol

import pytest

from otel_stdlib.delivery.contract import Batch, Outcome
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers import lifetime
from otel_stdlib.handlers.addresses import Connector
from otel_stdlib.handlers.kafka import KafkaOptions
from otel_stdlib.handlers.lifetime import Lifetime, keepalive_options
from otel_stdlib.handlers.otlp import OTLPOptions
from otel_stdlib.handlers.otlp.channel import _make_channel
from otel_stdlib.handlers.postgres.session import Session
from tests.handlers.elasticsearch import helpers as elasticsearch
from tests.handlers.kafka import helpers as kafka
from tests.handlers.otlp import parts as otlp
from tests.handlers.postgres import support as postgres
from tests.servers.kafka import KafkaBroker
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy
from tests.support import eventually, needs_kafka

#: Far beyond the deadline of every test here.
LIMIT = 600.0
DEADLINE = 60.0


class _Target(Protocol):
    def deliver(self, batch: Batch) -> Any: ...

    def close(self) -> None: ...


#: Makes a destination with options, behind a proxy, and batches for it.
Way = Callable[..., tuple[_Target, Proxy, Callable[[int], Batch]]]


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The time by which connections grow old."""
    found = _Clock()
    monkeypatch.setattr(lifetime, "monotonic", found)
    return found


def _elasticsearch(request: pytest.FixtureRequest) -> Way:
    server = request.getfixturevalue("elasticsearch_server")
    door = request.getfixturevalue("proxy")(server.host, server.port)

    def make(**options: Any) -> Any:
        url = f"http://127.0.0.1:{door.port}"
        target = elasticsearch.destination(url, index_pattern="test-idle", timeout=LIMIT, **options)
        return target, door, lambda number: elasticsearch.make_batch([elasticsearch.make_frame(number)])

    return make


def _otlp(request: pytest.FixtureRequest, protocol: str, *, through: bool = False) -> Way:
    collector = request.getfixturevalue("otel_collector")
    port = collector.grpc_port if protocol == "grpc" else collector.http_port
    door = request.getfixturevalue("proxy")(collector.host, port)
    url = f"http://127.0.0.1:{door.port}"
    if through:
        # The Collector takes the absolute URLs that a proxy for plain HTTP gets.
        request.getfixturevalue("monkeypatch").setenv("HTTP_PROXY", url)
        url = "http://collector.test:4318"

    def make(**options: Any) -> Any:
        target = otlp.destination(url, protocol=protocol, timeout=LIMIT, **options)
        return target, door, lambda number: otlp.make_batch(otlp.numbered(number))

    return make


def _postgres(request: pytest.FixtureRequest) -> Way:
    database: Database = request.getfixturevalue("postgres_database")
    door = request.getfixturevalue("proxy")(database.host, database.port)

    def make(**options: Any) -> Any:
        more = {"host": door.host, "port": door.port, "statement_timeout": LIMIT, **options}
        target = postgres.destination(database, **more)
        return target, door, lambda number: postgres.batch([postgres.frame(number)])

    return make


WAYS: dict[str, Callable[[pytest.FixtureRequest], Way]] = {
    "elasticsearch": _elasticsearch,
    "otlp": lambda request: _otlp(request, "http/protobuf"),
    "otlp through a proxy": lambda request: _otlp(request, "http/protobuf", through=True),
    "otlp by grpc": lambda request: _otlp(request, "grpc"),
    "postgres": _postgres,
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    """Each destination behind a proxy of its own."""
    return WAYS[request.param](request)


def deliver(target: _Target, batch: Batch, *, again: bool = False) -> None:
    """Deliver, and fail where that takes until the time limit. ``again``: as often as the outcome is not known."""
    answers: list[list[Outcome] | None] = []

    def attempt() -> None:
        while not answers:
            try:
                answers.append(target.deliver(batch))
            except RetryableError:
                if not again:
                    raise

    thread = elasticsearch.in_thread(attempt)
    thread.join(DEADLINE)
    assert not thread.is_alive(), "it waits on a connection that is dead"
    assert answers == [None], "stored"


@pytest.mark.parametrize(
    ("options", "pause"),
    [({}, 51), ({"connection_max_idle": 10}, 11), ({"connection_max_idle": 0, "connection_max_age": 90}, 91)],
    ids=["default", "idle", "age"],
)
@pytest.mark.server
def test_after_a_pause_the_next_record_gets_a_new_connection(
    way: Way, clock: _Clock, options: dict[str, float], pause: float
) -> None:
    """The old one is dead, which nobody was told: it is not asked, and nothing waits for its time limit."""
    target, door, batch = way(**options)
    with closing(target):
        deliver(target, batch(1))
        used = door.traffic.connections
        deliver(target, batch(2))
        assert used == door.traffic.connections, "a young connection is kept"
        door.forget_connections()
        clock.now += pause
        deliver(target, batch(3))
        assert door.traffic.connections > used


@pytest.mark.server  # its fixture asks for them by name
def test_without_limits_a_connection_is_kept(way: Way, clock: _Clock) -> None:
    """0 sets none."""
    target, door, batch = way(connection_max_idle=0, connection_max_age=0, tcp_keepalive=0)
    with closing(target):
        deliver(target, batch(1))
        used = door.traffic.connections
        clock.now += 1e6
        deliver(target, batch(2))
        assert used == door.traffic.connections


@needs_kafka
@pytest.mark.parametrize("transactional", [False, True], ids=["plain", "transactions"])
def test_kafka_ends_idle_connections(
    kafka_broker: KafkaBroker, topic: str, clock: _Clock, transactional: bool
) -> None:
    """The client does so by itself; a producer whose connections are old is replaced before the next batch.

    On a machine that stalls a cursor may take longer to be read back than the destination waits for it.
    """
    door = kafka_broker.proxy
    options = {"connection_max_idle": 1, "timeout": 300.0, "transactional": transactional}
    target = kafka.destination(kafka_broker.proxied_bootstrap, topic, connection_max_age=90, **options)
    origin = elasticsearch.make_origin()

    def batch(number: int) -> Batch:
        return elasticsearch.make_batch([elasticsearch.make_frame(number)], origin)

    with closing(target):
        deliver(target, batch(1), again=True)
        made = target.counters.get("producers")
        eventually(lambda: door.traffic.open == 0)
        deliver(target, batch(2), again=True)
        assert made == target.counters.get("producers")
        door.forget_connections()
        clock.now += 91
        deliver(target, batch(3), again=True)
    assert 3 == len(kafka.stored_uids(kafka_broker, topic))


@pytest.fixture
def topic(kafka_broker: KafkaBroker) -> str:
    """A topic of this module's own."""
    name = f"test-lifetime-{os.urandom(6).hex()}"
    kafka_broker.create_topic(name)
    return name


def test_librdkafka_gets_the_limits() -> None:
    """Unless 'client' says otherwise."""
    plain = KafkaOptions().settings
    assert (True, 50_000) == (plain["socket.keepalive.enable"], plain["connections.max.idle.ms"])
    off = KafkaOptions(tcp_keepalive=0, connection_max_idle=0).settings
    assert (False, 0) == (off["socket.keepalive.enable"], off["connections.max.idle.ms"])
    own = KafkaOptions(client={"connections.max.idle.ms": 7, "socket.keepalive.enable": False}).settings
    assert (False, 7) == (own["socket.keepalive.enable"], own["connections.max.idle.ms"])


def _asked(sock: socket.socket) -> tuple[int, int]:
    """Whether the system asks, and after how many seconds."""
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    )


@pytest.mark.parametrize("name", ["elasticsearch", "otlp", "otlp through a proxy"])
@pytest.mark.server
def test_http_connections_are_kept_alive(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system asks after the silence that the option says."""
    opened: list[tuple[int, int]] = []
    connect = Connector.connect

    def noting(self: Connector, *given: Any) -> socket.socket:
        made = connect(self, *given)
        opened.append(_asked(made))
        return made

    monkeypatch.setattr(Connector, "connect", noting)
    target, _, batch = WAYS[name](request)(tcp_keepalive=17.5)
    with closing(target):
        deliver(target, batch(1))
    assert {(1, 18)} == set(opened)


@pytest.mark.parametrize(("silence", "asks"), [(17.5, (1, 18)), (0, (0, None))])
def test_connections_to_postgres_are_kept_alive(
    postgres_database: Database, silence: float, asks: tuple[int, int | None]
) -> None:
    """The same by libpq."""
    session = Session(postgres.options(postgres_database, tcp_keepalive=silence))
    with closing(session), socket.socket(fileno=os.dup(session._connection.fileno())) as sock:
        found = _asked(sock)
    assert asks[0] == found[0]
    assert asks[1] in (found[1], None)


@pytest.mark.parametrize(("silence", "asks"), [(17.5, {17_500}), (0, set())])
def test_grpc_asks_by_itself(monkeypatch: pytest.MonkeyPatch, silence: float, asks: set[int]) -> None:
    """It has no option for TCP's keepalive."""
    grpc = pytest.importorskip("grpc")
    made: list[Any] = []
    monkeypatch.setattr(grpc, "insecure_channel", lambda _, settings: made.extend(settings))
    _make_channel(OTLPOptions(protocol="grpc", tcp_keepalive=silence))
    assert asks == {value for name, value in made if name == "grpc.keepalive_time_ms"}


def test_no_keepalive() -> None:
    """0 leaves the sockets as they are."""
    assert [] == keepalive_options(0)
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in keepalive_options(1)


def test_a_lifetime(clock: _Clock) -> None:
    """Use keeps a connection young in one way only."""
    life = Lifetime(100, 50)
    clock.now += 50
    assert not life.is_over
    life.use()
    clock.now += 50
    assert not life.is_over, "at its limits"
    clock.now += 0.5
    life.use()
    assert life.is_over, "too old"
    idle = Lifetime(0, 50)
    clock.now += 51
    assert idle.is_over
    assert not Lifetime(0).is_over
