"""What becomes of batches, against a small server that answers as the test says."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_stdlib.delivery.abilities import has_meanwhile
from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.handlers.otlp.wire import Reply, Wire
from tests.handlers.otlp.parts import (
    Answer,
    Gateway,
    destination,
    gateway,
    make_batch,
    make_frame,
    numbered,
    partial,
)
from tests.servers.proxy import Proxy


def verdicts(outcomes: object) -> list[Verdict]:
    """The verdicts alone."""
    assert isinstance(outcomes, list)
    return [outcome.verdict for outcome in outcomes]


def test_one_request_with_the_given_headers(server: Gateway) -> None:
    """A batch is one POST to /v1/logs with the headers and the compression that were asked for."""
    for compression in ("none", "gzip", "deflate"):
        target = destination(server.url, headers={"Api-Key": "k"}, compression=compression)
        target.open()
        assert target.deliver(make_batch(numbered(3))) is None
        target.close()
        request = server.requests[-1]
        assert ("POST", "/v1/logs") == (request.method, request.path)
        assert "k" == request.headers["api-key"]
        assert "application/x-protobuf" == request.headers["content-type"]
        assert compression == request.headers.get("content-encoding", "none")
        assert ["0", "1", "2"] == request.bodies()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_to_try_again(server: Gateway, status: int) -> None:
    """Exactly these ask for another try; with ``Retry-After`` for a pause."""
    target = destination(server.url)
    server.answers += [Answer(status), Answer(status, headers={"Retry-After": "7"})]
    batch = make_batch(numbered(2))
    with pytest.raises(RetryableError) as plain:
        target.deliver(batch)
    assert type(plain.value) is RetryableError
    with pytest.raises(ThrottledError) as asked:
        target.deliver(batch)
    assert 7.0 == asked.value.retry_after
    assert target.deliver(batch) is None
    target.close()


def test_more_statuses_may_be_tried_again(server: Gateway) -> None:
    """``retry_statuses`` lets records wait for a person."""
    target = destination(server.url, retry_statuses=[401])
    server.answers.append(Answer(401))
    with pytest.raises(RetryableError, match="401"):
        target.deliver(make_batch(numbered(1)))
    target.close()


def test_partial_success(
    server: Gateway, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """What is rejected in part is counted, told, and never sent again; what is rejected whole is known."""
    target = destination(server.url)
    target.name = request.node.name
    server.answers += [partial(2, "too old"), partial(3, "too old"), partial(0, "slow down")]
    assert target.deliver(make_batch(numbered(3))) is None
    assert 2 == target.counters.get("rejected_in_part")
    assert "rejected 2 of them for good: too old" in capsys.readouterr().err
    outcomes = target.deliver(make_batch(numbered(3)))
    assert [Verdict.REJECTED] * 3 == verdicts(outcomes)
    assert target.deliver(make_batch(numbered(3))) is None
    assert 1 == target.counters.get("warnings")
    assert 3 == len(server.requests)
    target.close()


def test_413_splits(server: Gateway) -> None:
    """Requests shrink until they fit, which is remembered; a record that never fits is rejected alone."""
    server.most = 4_000
    target = destination(server.url)
    frames = numbered(50)
    frames[20] = make_frame(20, "x" * 5_000)
    outcomes = target.deliver(make_batch(frames))
    expected = [Verdict.STORED] * 50
    expected[20] = Verdict.REJECTED
    assert expected == verdicts(outcomes)
    before = len(server.requests)
    assert target.deliver(make_batch(numbered(50))) is None
    assert all(len(request.body) <= server.most for request in server.requests[before:])
    target.close()


def test_the_clients_own_limit(server: Gateway) -> None:
    """No request is larger than ``max_request_bytes``, and none is sent to find that out."""
    target = destination(server.url, max_request_bytes=3_000, protocol="http/protobuf")
    assert target.deliver(make_batch(numbered(40))) is None
    assert len(server.requests) > 1
    assert all(len(request.body) <= 3_000 for request in server.requests)
    assert Counter(map(str, range(40))) == server.taken()
    outcomes = target.deliver(make_batch([make_frame(1, "y" * 4_000), make_frame(2, "z")]))
    assert [Verdict.REJECTED, Verdict.STORED] == verdicts(outcomes)
    target.close()


def test_a_pause_in_the_middle_of_a_split_batch(server: Gateway) -> None:
    """What was taken is not sent again; the pause is kept before the rest is."""
    target = destination(server.url, max_request_bytes=3_000)
    batch = make_batch(numbered(40))
    server.answers += [Answer(), Answer(429, headers={"Retry-After": "30"})]
    outcomes = verdicts(target.deliver(batch))
    stored = outcomes.count(Verdict.STORED)
    assert 0 < stored < 40
    assert [Verdict.STORED] * stored + [Verdict.RETRY] * (40 - stored) == outcomes
    with pytest.raises(ThrottledError) as caught:
        target.deliver(make_batch(batch.frames[stored:], batch.origin))
    assert 29 < caught.value.retry_after <= 30
    assert 2 == len(server.requests)
    target.close()


def test_400_condemns_the_batch_or_a_part_of_it(server: Gateway) -> None:
    """A batch refused whole is halved by the delivery thread; a part of one comes again alone."""
    server.poison.add("37")
    target = destination(server.url)
    with pytest.raises(PermanentError, match="bad record"):
        target.deliver(make_batch(numbered(40)))
    target.close()
    target = destination(server.url, max_request_bytes=3_000)
    outcomes = verdicts(target.deliver(make_batch(numbered(40))))
    assert {Verdict.STORED, Verdict.RETRY} == set(outcomes)
    assert Verdict.RETRY is outcomes[37]
    target.close()


def test_a_damaged_record_is_rejected_alone(server: Gateway) -> None:
    """A frame that holds no JSON does not hold up the others."""
    frames = numbered(3)
    frames[1] = frames[1]._replace(payload=b'{"cut')
    target = destination(server.url)
    assert [Verdict.STORED, Verdict.REJECTED, Verdict.STORED] == verdicts(target.deliver(make_batch(frames)))
    assert 1 == len(server.requests)
    assert [Verdict.REJECTED] == verdicts(target.deliver(make_batch(frames[1:2])))
    assert 1 == len(server.requests), "an empty request"
    target.close()


def test_nobody_there_and_no_answer() -> None:
    """Both are tried again; only what was sent counts as unknown."""
    with gateway() as server:
        url = server.url
        target = destination(url, timeout=20)
        server.answers.append(Answer(200, b"<html>", {"content-type": "text/html"}))
        with pytest.raises(RetryableError, match="web page"):
            target.deliver(make_batch(numbered(1)))
        target.probe()
        target.close()
    with pytest.raises(RetryableError, match=r"no connection to \S+: cannot connect: "):
        target.deliver(make_batch(numbered(1)))
    with pytest.raises(RetryableError, match="no connection"):
        target.probe()
    assert 0 == target.counters.get("unknown")
    target.close()
    target.close()


def test_a_proxy_of_the_environment(server: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """``HTTP_PROXY`` is asked, with its password; ``NO_PROXY`` is not."""
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//joe:hunter2@"))
    target = destination("http://collector.invalid:4318")
    assert target.deliver(make_batch(numbered(1))) is None
    request = server.requests[-1]
    assert "http://collector.invalid:4318/v1/logs" == request.path
    assert "Basic am9lOmh1bnRlcjI=" == request.headers["proxy-authorization"]
    target.close()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    target = destination(server.url)
    assert target.deliver(make_batch(numbered(1))) is None
    assert "/v1/logs" == server.requests[-1].path
    target.close()


def test_poison_among_many_is_found(server: Gateway, tmp_path: Path) -> None:
    """The delivery thread buries the record at fault and delivers every other one once."""
    from tests.handlers.elasticsearch.helpers import ListSource, working

    server.poison.add("33")
    source = ListSource(numbered(100))
    target = destination(server.url)
    dead = tmp_path / "dead.jsonl"
    with working(target, source, dead=dead):  # type: ignore[arg-type]
        deadline = time.monotonic() + 20
        while source.cursor < source.head() and time.monotonic() < deadline:
            time.sleep(0.01)
    letters = list(DeadLetterFile(dead, target.identity).read())
    assert ["33"] == [letter["record"]["body"] for letter in letters]
    assert "bad record" in letters[0]["reason"]
    taken = Counter(
        body
        for request in server.requests
        if not server.poison.intersection(found := request.bodies())
        for body in found
    )
    assert Counter(str(n) for n in range(100) if n != 33) == taken


def test_what_comes_next_is_read_while_the_server_works(
    server: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery thread has something to do while another thread's request is on its way."""
    target = destination(server.url, batch_records=5)
    assert has_meanwhile(target)
    read, both = threading.Event(), threading.Barrier(2, timeout=10)
    caller = threading.current_thread()
    target.meanwhile = read.set
    real = Wire.post

    def post(wire: Wire, body: bytes, content_type: str) -> Reply:
        both.wait()
        assert threading.current_thread() is caller or read.wait(10)
        return real(wire, body, content_type)

    monkeypatch.setattr(Wire, "post", post)
    assert target.deliver(make_batch(numbered(10))) is None
    target.close()


def test_requests_are_in_flight_together(server: Gateway, proxy: Callable[[str, int], Proxy]) -> None:
    """A large batch is several requests, as many at once as ``max_workers`` says, each record once."""
    door = proxy("127.0.0.1", server.server_address[1])
    target = destination(f"http://127.0.0.1:{door.port}", batch_records=10, max_workers=3)
    door.deaf()
    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.append(target.deliver(make_batch(numbered(60)))), daemon=True
    )
    thread.start()
    door.wait_for(lambda traffic: traffic.open == 3)
    door.pass_through()
    thread.join(60)
    assert [None] == results
    assert 6 == target.counters.get("requests")
    assert Counter(map(str, range(60))) == server.taken()
    target.close()


def test_one_failed_request_of_several(server: Gateway) -> None:
    """Only what was not taken comes again, after the pause that was asked for; nothing is sent meanwhile."""
    target = destination(server.url, batch_records=10, max_workers=1)
    batch = make_batch(numbered(50))
    server.answers += [Answer(), Answer(503, headers={"Retry-After": "30"})]
    outcomes = verdicts(target.deliver(batch))
    assert [Verdict.STORED] * 10 + [Verdict.RETRY] * 40 == outcomes
    assert 2 == len(server.requests)
    with pytest.raises(ThrottledError):
        target.deliver(make_batch(batch.frames[10:], batch.origin))
    assert 2 == len(server.requests)
    target.close()


def test_messages_are_those_of_the_official_package(server: Gateway) -> None:
    """What was put together from serialized messages is, read and written again, the same bytes."""
    frames = [make_frame(n, f"{n}", logger=f"l{n % 3}", deep={"a": [n, {"b": None}]}) for n in range(30)]
    target = destination(server.url)
    assert target.deliver(make_batch(frames)) is None
    body = server.requests[-1].body
    assert body == ExportLogsServiceRequest.FromString(body).SerializeToString(deterministic=True)
    target.close()
