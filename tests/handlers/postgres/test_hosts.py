"""Several hosts, one of them dead: connecting again does not wait for it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.places import FIRST_PAUSE
from otel_stdlib.handlers.postgres import PostgresDestination
from otel_stdlib.handlers.postgres.hosts import Hosts
from tests.handlers.postgres.support import batch, frame
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy

Make = Callable[..., PostgresDestination]
MakeProxy = Callable[[str, int], Proxy]


def _both(database: Database, doors: tuple[Proxy, Proxy], **more: Any) -> dict[str, Any]:
    hosts = ",".join(door.host for door in doors)
    ports = ",".join(str(door.port) for door in doors)
    return {"dsn": f"host={hosts} port={ports}", "host": None, "port": None, "connect_timeout": 2, **more}


@pytest.fixture
def doors(postgres_database: Database, proxy: MakeProxy) -> tuple[Proxy, Proxy]:
    """Two ways to the server, as two hosts."""
    database = postgres_database
    return proxy(database.host, database.port), proxy(database.host, database.port)


def test_a_silent_host_is_tried_once(
    make: Make, postgres_database: Database, doors: tuple[Proxy, Proxy]
) -> None:
    """Later connections begin with the one that worked."""
    doors[0].deaf()
    target = make(**_both(postgres_database, doors))
    for number in range(1, 6):
        assert target.deliver(batch([frame(number)])) is None
        doors[1].cut()
        with pytest.raises(RetryableError):
            target.deliver(batch([frame(number + 100)]))
    assert 1 == doors[0].traffic.connections
    assert doors[1].traffic.connections >= 5


def test_a_host_that_goes_silent_is_left(
    make: Make, postgres_database: Database, doors: tuple[Proxy, Proxy]
) -> None:
    """Its time limit counts once, and the message names it; the other host has the records from then on."""
    target = make(**_both(postgres_database, doors, statement_timeout=0.1))
    assert target.deliver(batch([frame(1)])) is None
    doors[0].deaf()
    with pytest.raises(RetryableError, match=f"127.0.0.1:{doors[0].port}: no answer from the server"):
        target.deliver(batch([frame(2)]))
    assert target.deliver(batch([frame(2)])) is None
    doors[1].cut()
    with pytest.raises(RetryableError):
        target.deliver(batch([frame(3)]))
    assert target.deliver(batch([frame(3)])) is None
    assert 1 == doors[0].traffic.connections
    assert [(3,)] == postgres_database.execute("SELECT count(*) FROM otel_logs")


def test_when_no_host_answers_each_is_named(
    make: Make, postgres_database: Database, doors: tuple[Proxy, Proxy]
) -> None:
    """With its own reason."""
    doors[0].refuse()
    doors[1].deaf()
    target = make(**_both(postgres_database, doors))
    with pytest.raises(RetryableError) as found:
        target.open()
    assert f"127.0.0.1:{doors[0].port}: " in str(found.value)
    assert f"127.0.0.1:{doors[1].port}: " in str(found.value)
    assert "timeout expired" in str(found.value)


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _order(hosts: Hosts, **parameters: Any) -> list[tuple[Any, ...]]:
    return [
        (given.get("host"), given.get("port"), given.get("hostaddr"), given.get("connect_timeout"))
        for _, given in hosts.attempts({"connect_timeout": 10, **parameters})
    ]


def test_the_order_of_hosts() -> None:
    """One that failed comes last, with a short limit for a while; one that worked comes first."""
    clock = _Clock()
    hosts = Hosts(clock)
    given = {"host": "a,b,c", "port": "1,2,3", "user": "u"}
    assert [("a", "1", None, 10), ("b", "2", None, 10), ("c", "3", None, 10)] == _order(hosts, **given)
    hosts.failed(0)
    hosts.worked(1)
    assert [("b", "2", None, 10), ("c", "3", None, 10), ("a", "1", None, 2)] == _order(hosts, **given)
    clock.now += FIRST_PAUSE + 1
    assert ("a", "1", None, 10) == _order(hosts, **given)[-1]
    assert "b:2" == hosts.name(1)
    assert [("b", "7", None, 10), ("d", "7", None, 10)] == _order(hosts, host="b,d", port="7")
    assert [("a", "5432", "::1", 10), ("b", "5432", None, 10)] == _order(
        Hosts(), host="a,b", port="5432", hostaddr="::1,"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"host": "a"},
        {"service": "shop"},
        {"host": "a,b", "load_balance_hosts": "random"},
        {"host": "a,b", "target_session_attrs": "prefer-standby"},
        {"host": "a,b", "port": "1,2,3"},
    ],
)
def test_what_is_left_to_libpq(given: dict[str, str]) -> None:
    """One host; what is judged over all hosts together; what libpq refuses."""
    hosts = Hosts()
    assert [(0, {**given})] == list(hosts.attempts(given))
    assert "" == hosts.name(0)
