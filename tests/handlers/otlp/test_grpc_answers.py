"""Answers to OTLP over gRPC: codes by a gRPC server, HTTP statuses and resets as proxies make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.delivery.guard import REFUSALS
from tests.handlers.elasticsearch.helpers import ListSource
from tests.handlers.otlp import http2
from tests.handlers.otlp.grpc_parts import Say, Server, retry_info, to
from tests.handlers.otlp.http2 import Proxy2, Saying
from tests.handlers.otlp.parts import make_frame, numbered
from tests.handlers.otlp.test_http_answers import FEW, QUICK, outage_of, working
from tests.proof.answers import LETTER, STORED, rows_of
from tests.support import eventually

ROWS = rows_of("OTLP/gRPC")


@pytest.fixture
def server() -> Iterator[Server]:
    """A gRPC server."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def proxy2() -> Iterator[Proxy2]:
    """A server of HTTP/2."""
    running = Proxy2()
    yield running
    running.stop()


def waits(
    running: Any,
    mood: Callable[[list[str]], Any],
    key: str,
    count: int,
    folder: Path,
    capsys: Any,
    **more: bool,
) -> int:
    """Records wait while the server has a mood, and are taken once when it has none; how many were given up."""
    running.mood = mood
    source = ListSource(numbered(count))
    target = to(running.url, **QUICK)
    target.name = f"otlp grpc {key}"
    with working(target, source, folder / "dead") as worker:
        outage_of(worker, ROWS[key], capsys, **more)
        running.mood = lambda records: None
        eventually(lambda: source.cursor >= source.head(), 60)
        eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed", 60)
        given_up = int(worker.snapshot()["rejected"])
    assert len(running.taken) == count - given_up
    assert set(running.taken.values()) == {1}
    return given_up


WAITING = [
    *("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"),
    *("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"),
]


@pytest.mark.parametrize("key", WAITING)
def test_records_wait(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    """The specification's retryable codes, and those about the token and the target."""
    assert waits(server, lambda records: Say(key, "because"), key, FEW, tmp_path, capsys) == 0
    assert not (tmp_path / "dead").exists()


PAUSES = {"RESOURCE_EXHAUSTED_after": "RESOURCE_EXHAUSTED", "UNAVAILABLE_after": "UNAVAILABLE"}


@pytest.mark.parametrize("key", PAUSES)
def test_a_pause_is_kept(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """The delay of a ``RetryInfo``."""
    say = Say(PAUSES[key], "later", status=retry_info(1))
    assert waits(server, lambda records: say, key, FEW, tmp_path, capsys, breaker=False) == 0


ALL_REFUSED = [
    *("UNKNOWN", "INTERNAL", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"),
    "INVALID_ARGUMENT",
]


@pytest.mark.parametrize("key", ALL_REFUSED)
def test_records_wait_for_a_server_that_refuses_every_one(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """Few are given up before that is seen."""
    assert waits(server, lambda records: Say(key, "because"), key, 50, tmp_path, capsys) < REFUSALS


@pytest.mark.parametrize("key", ["INVALID_ARGUMENT_one", "INTERNAL_unread"])
def test_a_record_is_refused(server: Server, tmp_path: Path, key: str) -> None:
    """It is a dead letter with the reason; the others are taken once."""
    row = ROWS[key]
    assert row.happens == LETTER
    say = Say(
        key.split("_one", maxsplit=1)[0].split("_unread", maxsplit=1)[0], "grpc: error unmarshalling request"
    )
    server.mood = lambda records: say if "bad" in records else None
    frames = numbered(100)
    frames[42] = make_frame(42, "bad")
    source = ListSource(frames)
    with working(to(server.url, **QUICK), source, tmp_path / "dead") as worker:
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 1
    assert server.taken == Counter(str(number) for number in range(100) if number != 42)
    assert row.reported in (tmp_path / "dead").read_text()


PROXIES: dict[str, Saying] = {
    **{f"http_{status}": http2.page(status) for status in (200, 301, 400, 401, 403, 404, 407, 408, 429)},
    **{f"http_{status}": http2.page(status) for status in (500, 502, 503, 504, 511)},
    "reset_internal": http2.reset(2),
    "reset_calm": http2.reset(11),
    "reset_security": http2.reset(12),
    "closed": http2.close(),
}


@pytest.mark.parametrize("key", PROXIES)
def test_records_wait_for_what_is_in_between(
    proxy2: Proxy2, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """No OTLP server wrote it, whatever code gRPC makes of it."""
    assert waits(proxy2, lambda records: PROXIES[key], key, FEW, tmp_path, capsys) == 0
    assert not (tmp_path / "dead").exists()


@pytest.mark.parametrize("key", ["http_413", "reset_large"])
def test_large_requests_are_made_smaller(proxy2: Proxy2, tmp_path: Path, key: str) -> None:
    """As nginx answers them, or a path that resets them."""
    assert ROWS[key].happens == STORED
    answer = http2.page(413) if key == "http_413" else http2.reset(2)
    proxy2.mood = lambda records: answer if sum(map(len, records)) > 20_000 else None
    source = ListSource([make_frame(number, f"{number:02d}" * 500) for number in range(50)])
    with working(to(proxy2.url, **QUICK), source, tmp_path / "dead") as worker:
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
    assert proxy2.taken == Counter(f"{number:02d}" * 500 for number in range(50))
