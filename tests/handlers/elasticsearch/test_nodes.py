"""A dead node among several: records do not wait for it, and it is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.elasticsearch.wire import UnknownOutcome
from otel_stdlib.handlers.places import LONGEST_PAUSE, Places
from tests.handlers.elasticsearch.helpers import destination, in_thread, make_batch, make_frames, stored_ids
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.proxy import Proxy

MakeProxy = Callable[[str, int], Proxy]
#: Far beyond the deadline of the tests.
LIMIT = 600.0


def within_the_deadline(call: Callable[[], Any]) -> Any:
    """Call, and fail where that waits for a time limit."""
    found: list[Any] = []
    thread = in_thread(lambda: found.append(call()))
    thread.join(60)
    assert not thread.is_alive(), "it waits for the dead node"
    return found[0]


@pytest.fixture
def doors(elasticsearch_server: Elasticsearch, proxy: MakeProxy) -> tuple[Proxy, Proxy]:
    """Two ways to the server, as two nodes."""
    server = elasticsearch_server
    return proxy(server.host, server.port), proxy(server.host, server.port)


def urls(doors: tuple[Proxy, Proxy]) -> list[str]:
    """Their addresses."""
    return [f"http://127.0.0.1:{door.port}" for door in doors]


@pytest.mark.parametrize("dead", ["deaf", "refuse"])
def test_a_node_dead_from_the_beginning_gets_no_record(
    doors: tuple[Proxy, Proxy], elasticsearch_server: Elasticsearch, index: str, dead: str
) -> None:
    """It is asked first, with a short limit: many batches, and one look that fails."""
    getattr(doors[0], dead)()
    target = destination(urls(doors), index_pattern=index, timeout=LIMIT)
    batches = [make_batch(make_frames(5)) for _ in range(20)]
    with closing(target):
        within_the_deadline(target.open)
        for batch in batches:
            assert within_the_deadline(lambda: target.deliver(batch)) is None  # noqa: B023 - called at once
    assert doors[0].traffic.connections <= 1
    assert 100 == len(stored_ids(elasticsearch_server, index))


def test_a_node_that_goes_silent_costs_one_limit(
    doors: tuple[Proxy, Proxy], elasticsearch_server: Elasticsearch, index: str, capsys: Any
) -> None:
    """The request on its way is lost; from then on the other node has them all, and a line names the silent one."""
    target = destination(urls(doors), index_pattern=index, timeout=LIMIT, max_workers=1)
    lost: list[str] = []
    with closing(target):
        target.open()
        assert target._wire is not None
        for _ in range(4):
            assert target.deliver(make_batch(make_frames(1))) is None
        assert all(door.traffic.connections for door in doors), "both get requests"
        doors[1].deaf()
        target._wire.timeout = 5.0
        batches = [make_batch(make_frames(1)) for _ in range(20)]
        for batch in batches:
            try:
                assert target.deliver(batch) is None
            except UnknownOutcome as error:
                lost.append(str(error))
                assert target.deliver(batch) is None
    assert [f"no answer from http://127.0.0.1:{doors[1].port} within 5 s"] == lost
    assert 24 == len(stored_ids(elasticsearch_server, index))
    told = capsys.readouterr().err
    assert f"http://127.0.0.1:{doors[1].port} within 5 s; records go to the other hosts" in told


def test_a_node_that_is_back_is_used_again(
    doors: tuple[Proxy, Proxy], elasticsearch_server: Elasticsearch, index: str
) -> None:
    """It is asked when its pause is over."""
    doors[1].refuse()
    target = destination(urls(doors), index_pattern=index, timeout=LIMIT)
    with closing(target):
        target.open()
        assert target._wire is not None
        places: Places = target._wire._places
        now = [places._clock()]
        places._clock = lambda: now[0]
        assert target.deliver(make_batch(make_frames(1))) is None
        doors[1].listen()
        used = doors[1].traffic.connections
        assert target.deliver(make_batch(make_frames(1))) is None
        assert used == doors[1].traffic.connections, "not before"
        now[0] += LONGEST_PAUSE + 1
        for _ in range(3):
            assert target.deliver(make_batch(make_frames(1))) is None
        assert doors[1].traffic.bytes_to_server > 0


def test_when_no_node_answers_each_is_named(doors: tuple[Proxy, Proxy], index: str) -> None:
    """With its own reason."""
    for door in doors:
        door.refuse()
    target = destination(urls(doors), index_pattern=index)
    with closing(target), pytest.raises(RetryableError) as found:
        target.open()
    assert not isinstance(found.value, UnknownOutcome), "nothing was sent"
    for url in urls(doors):
        assert f"no connection to {url}: " in str(found.value)
