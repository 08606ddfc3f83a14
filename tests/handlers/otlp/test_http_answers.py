"""Answers to OTLP over HTTP, by a server that answers as Collectors, gateways and proxies do, and by real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_stdlib.delivery.guard import REFUSALS
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.handlers.otlp import OTLPDestination
from tests.handlers.elasticsearch import helpers
from tests.handlers.elasticsearch.helpers import ListSource
from tests.handlers.otlp.parts import Answer, Gateway, Request, destination, make_frame, numbered, partial
from tests.handlers.otlp.test_faults import arrived
from tests.proof.answers import LETTER, STORED, TAKEN, WAITS, Row, rows_of
from tests.servers.collector import OtelCollector
from tests.servers.proxy import Proxy
from tests.support import eventually

ROWS = rows_of("OTLP/HTTP")
NGINX = b"<html>\r\n<head><title>nope</title></head>\r\n<body><center><h1>nope</h1></center><hr>nginx</body>\r\n</html>"
GOOGLE = b"<!DOCTYPE html>\n<html lang=en><title>Error</title><p>Your client does not have permission."
STATUS = b'{"code":13,"message":"quota of the tenant is used up"}'
#: Fewer than make an outage of refusals.
FEW = 5
QUICK: dict[str, Any] = {"max_retries": 2, "circuit_breaker_threshold": 2}


def page(status: int, body: bytes = NGINX, **headers: str) -> Answer:
    """What nginx, Envoy and their like show."""
    return Answer(status, body, {"content-type": "text/html", **headers})


def text(status: int, body: bytes) -> Answer:
    """A line of text, as Envoy and Go's servers answer."""
    return Answer(status, body, {"content-type": "text/plain; charset=utf-8"})


def json(status: int, body: bytes = STATUS) -> Answer:
    """JSON."""
    return Answer(status, body, {"content-type": "application/json"})


@contextmanager
def working(target: OTLPDestination, source: ListSource, dead: Path) -> Iterator[DestinationWorker]:
    """The real delivery thread."""
    with helpers.working(target, source, dead=dead) as worker:  # type: ignore[arg-type]
        yield worker
    target.close()


class Moody:
    """Makes a server answer what a test says; what it took is counted."""

    def __init__(self, server: Gateway) -> None:
        self.answer: Callable[[Request], Answer | None] = lambda request: None
        self.taken: Counter[str] = Counter()
        server.answer = self._answer  # type: ignore[method-assign]

    def _answer(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer(405)
        found = self.answer(request)
        if found is None or (found.status == 200 and "html" not in found.headers["content-type"]):
            self.taken.update(request.bodies())
        return found or Answer(200, b"", {"content-type": "application/x-protobuf"})


@pytest.fixture
def moody(server: Gateway) -> Moody:
    """One."""
    return Moody(server)


def outage_of(
    worker: DestinationWorker, row: Row, capsys: pytest.CaptureFixture[str], *, breaker: bool = True
) -> None:
    """Wait until records wait, and it is reported as the row says."""
    assert row.happens == WAITS
    eventually(lambda: row.reported in str(worker.snapshot()["last_error"]), 60)
    if breaker:
        eventually(lambda: worker.snapshot()["circuit_breaker"] != "closed", 60)
        eventually(lambda: row.reported in capsys.readouterr().err, 60)
    assert worker.snapshot()["failing"]


WAITING = {
    "301": page(301, Location="https://elsewhere/v1/logs"),
    "400_page": page(400),
    "401": json(401, b'{"code":16,"message":"token expired"}'),
    "403": page(403, GOOGLE),
    "404": page(404),
    "405": page(405),
    "407": page(407, Proxy_Authenticate="Basic"),
    "408": page(408, b"<html><body><h1>408 Request Time-out</h1></body></html>"),
    "429": json(429, b'{"code":8,"message":"slow down"}'),
    "500_page": page(500),
    "500_json": json(500, b'{"error":{"type":"internal","trace":"7"}}'),
    "502": page(502),
    "503": text(503, b"upstream connect error or disconnect/reset before headers"),
    "504": page(504),
    "511": page(511),
    "200_page": page(200, b"<html>Please log in</html>"),
}


@pytest.mark.parametrize("key", WAITING)
def test_records_wait(
    server: Gateway, moody: Moody, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """None is given up, the breaker opens, it is reported; when the cause is gone all are taken once."""
    moody.answer = lambda request: WAITING[key]
    source = ListSource(numbered(FEW))
    target = destination(server.url, **QUICK)
    target.name = f"otlp {key}"
    with working(target, source, tmp_path / "dead") as worker:
        outage_of(worker, ROWS[key], capsys)
        moody.answer = lambda request: None
        eventually(lambda: source.cursor >= source.head(), 60)
        eventually(lambda: worker.snapshot()["circuit_breaker"] == "closed", 60)
        assert worker.snapshot()["rejected"] == 0
    assert not (tmp_path / "dead").exists()
    assert moody.taken == Counter(map(str, range(FEW)))


@pytest.mark.parametrize("key", ["429_after", "503_after"])
def test_a_pause_is_kept(
    server: Gateway, moody: Moody, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """No request is sent before it is over."""
    answer = WAITING[key[:3]]
    moody.answer = lambda request: answer._replace(headers={**answer.headers, "Retry-After": "1"})
    source = ListSource(numbered(100))
    with working(destination(server.url, **QUICK), source, tmp_path / "dead") as worker:
        outage_of(worker, ROWS[key], capsys, breaker=False)
        assert worker.snapshot()["circuit_breaker"] == "closed"
        moody.answer = lambda request: None
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
    assert moody.taken == Counter(map(str, range(100)))


ALL_REFUSED = {
    "500_otlp": json(500),
    "400_all": json(400, b'{"code":3,"message":"no org id"}'),
    "413_all": page(413),
    "partial_all": None,
}


@pytest.mark.parametrize("key", ALL_REFUSED)
def test_records_wait_for_a_server_that_refuses_every_one(
    server: Gateway, moody: Moody, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    """Few are given up before that is seen. The others wait, and are taken when the cause is gone."""
    refusal = ALL_REFUSED[key]
    moody.answer = lambda request: refusal or partial(len(request.bodies()), "tenant is over its limit")
    source = ListSource(numbered(100))
    target = destination(server.url, **QUICK)
    target.name = f"otlp {key}"
    with working(target, source, tmp_path / "dead") as worker:
        outage_of(worker, ROWS[key], capsys)
        moody.taken.clear()
        moody.answer = lambda request: None
        eventually(lambda: source.cursor >= source.head(), 60)
        given_up = worker.snapshot()["rejected"]
    assert given_up < REFUSALS
    assert len(moody.taken) == 100 - given_up
    assert set(moody.taken.values()) == {1}


class Poison(NamedTuple):
    """What one record among good ones is answered, as long as a request has it; and the record."""

    answer: Answer
    message: str = "bad"


REFUSED = {
    "400": Poison(json(400, b'{"code":3,"message":"bad record"}')),
    "400_protobuf": Poison(
        Answer(400, b"\x08\x03\x12\x0abad record", {"content-type": "application/x-protobuf"})
    ),
    "400_text": Poison(text(400, b"entry too far behind")),
    "413": Poison(page(413), "x" * 100_000),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_record_is_refused(server: Gateway, moody: Moody, tmp_path: Path, key: str) -> None:
    """It is a dead letter with the reason; the others are taken once."""
    row, case = ROWS[key], REFUSED[key]
    assert row.happens == LETTER
    moody.answer = lambda request: case.answer if case.message in request.bodies() else None
    frames = numbered(100)
    frames[42] = make_frame(42, case.message)
    source = ListSource(frames)
    with working(destination(server.url, **QUICK), source, tmp_path / "dead") as worker:
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 1
        assert worker.snapshot()["circuit_breaker"] == "closed"
    assert moody.taken == Counter(str(number) for number in range(100) if number != 42)
    (letter,) = (tmp_path / "dead").read_text().splitlines()
    assert row.reported in letter


def test_a_server_that_takes_small_requests(server: Gateway, moody: Moody, tmp_path: Path) -> None:
    """413 is about the request. A record that fits alone is asked for, though half of a refused size is less."""
    assert ROWS["413_request"].happens == STORED
    frames = numbered(20)
    frames[7] = make_frame(7, "7" * 9_500)
    moody.answer = lambda request: page(413) if len(request.body) > 10_000 else None
    source = ListSource(frames)
    target = destination(server.url, **QUICK)
    with working(target, source, tmp_path / "dead") as worker:
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
        assert target.counters.get("split") > 0
    assert moody.taken == Counter(["7" * 9_500, *(str(number) for number in range(20) if number != 7)])


def test_a_record_is_rejected_in_part(
    server: Gateway, moody: Moody, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """OTLP does not say which, and forbids to send the request again: it is counted and reported."""
    row = ROWS["partial"]
    assert row.happens == TAKEN
    moody.answer = lambda request: partial(1, "too old")
    source = ListSource(numbered(100))
    target = destination(server.url, **QUICK)
    target.name = "otlp partial"
    with working(target, source, tmp_path / "dead"):
        eventually(lambda: source.cursor >= source.head(), 60)
    assert target.counters.get("rejected_in_part") == target.counters.get("requests")
    assert row.reported in capsys.readouterr().err


def test_a_server_warns(
    server: Gateway, moody: Moody, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every record is taken."""
    row = ROWS["warning"]
    assert row.happens == STORED
    moody.answer = lambda request: partial(0, "use another tenant")
    source = ListSource(numbered(100))
    target = destination(server.url, **QUICK)
    target.name = "otlp warning"
    with working(target, source, tmp_path / "dead"):
        eventually(lambda: source.cursor >= source.head(), 60)
    assert row.reported in capsys.readouterr().err
    assert moody.taken == Counter(map(str, range(100)))


WAYS: dict[str, tuple[Callable[[Proxy], None], Callable[[Proxy], None]]] = {
    "refused": (Proxy.stop, Proxy.start),
    "silent": (Proxy.deaf, Proxy.pass_through),
    "garbage": (Proxy.garbage, Proxy.pass_through),
}


@pytest.mark.parametrize("key", WAYS)
def test_records_wait_for_a_way_to_the_collector(
    otel_collector: OtelCollector,
    proxy: Callable[[str, int], Proxy],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """They arrive when there is one; more than once only where a request got no answer."""
    door = proxy(otel_collector.host, otel_collector.http_port)
    begin, end = WAYS[key]
    begin(door)
    source = ListSource([make_frame(number, f"{tmp_path} {number}") for number in range(50)])
    target = destination(f"http://127.0.0.1:{door.port}", **QUICK, timeout=0.5)
    target.name = f"otlp {key}"
    with working(target, source, tmp_path / "dead") as worker:
        outage_of(worker, ROWS[key], capsys)
        end(door)
        door.cut()
        eventually(lambda: source.cursor >= source.head(), 60)
        assert worker.snapshot()["rejected"] == 0
    found = Counter(body for body, _ in arrived(otel_collector, str(tmp_path)))
    assert set(found) == {f"{tmp_path} {number}" for number in range(50)}
    assert set(found.values()) == {1} or target.counters.get("unknown") > 0
