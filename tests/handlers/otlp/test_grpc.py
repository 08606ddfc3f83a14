"""OTLP/gRPC against a small server that answers as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_stdlib.delivery.contract import Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError, ThrottledError
from otel_stdlib.handlers.otlp import OTLPDestination
from otel_stdlib.handlers.otlp.channel import GRPCExchange
from otel_stdlib.handlers.otlp.retryinfo import retry_delay
from otel_stdlib.handlers.otlp.wire import UnknownOutcome
from tests.handlers.otlp.grpc_parts import OK, Say, Server, bodies, grpc, retry_info, to
from tests.handlers.otlp.parts import make_batch, numbered, partial
from tests.servers.proxy import Proxy

#: The specification's list.
RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}


@pytest.fixture
def server() -> Iterator[Server]:
    """A running one."""
    running = Server()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def target(server: Server) -> Iterator[OTLPDestination]:
    """A destination that sends to it."""
    made = to(server.url)
    try:
        yield made
    finally:
        made.close()


def test_one_call_with_metadata(server: Server) -> None:
    """A batch is one call of the logs service, compressed or not."""
    for compression in ("none", "gzip"):
        target = to(server.url, headers={"Api-Key": "k"}, compression=compression)
        target.open()
        assert target.deliver(make_batch(numbered(3))) is None
        assert 1 == target.counters.get("requests")
        target.close()
        method, metadata, body = server.calls.pop()
        assert "/opentelemetry.proto.collector.logs.v1.LogsService/Export" == method
        assert "k" == metadata["api-key"]
        assert metadata["user-agent"].startswith("otel_stdlib ")
        assert ["0", "1", "2"] == bodies(body)


@pytest.mark.parametrize("code", sorted(each.name for each in grpc.StatusCode if each.name != OK))
def test_statuses(server: Server, target: OTLPDestination, code: str) -> None:
    """The specification's and the target's are tried again, a bad request is halved, all others are for good."""
    server.answers = [Say(code, "because")]
    if code in (*RETRYABLE, "UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"):
        with pytest.raises(RetryableError, match=f"answered {code}: because"):
            target.deliver(make_batch(numbered(1)))
    elif code == "INVALID_ARGUMENT":
        with pytest.raises(PermanentError, match="because"):
            target.deliver(make_batch(numbered(1)))
    else:
        (outcome,) = target.deliver(make_batch(numbered(1))) or ()
        assert Verdict.REJECTED is outcome.verdict
        assert f"answered {code}: because" in outcome.reason
    assert 1 == len(server.calls)  # gRPC itself tries nothing again
    target.open()
    assert target.deliver(make_batch(numbered(1))) is None


def test_more_statuses_may_be_tried_again(server: Server) -> None:
    """By name."""
    target = to(server.url, retry_statuses=["UNAUTHENTICATED"])
    server.answers = [Say("UNAUTHENTICATED", "who")]
    with pytest.raises(RetryableError, match="who"):
        target.deliver(make_batch(numbered(1)))
    target.close()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_pause_that_the_server_asks_for(server: Server, target: OTLPDestination, code: str) -> None:
    """The delay of a ``RetryInfo``; with one RESOURCE_EXHAUSTED can be tried again too."""
    server.answers = [Say(code, "later", status=retry_info(7, 500_000_000))]
    with pytest.raises(ThrottledError) as caught:
        target.deliver(make_batch(numbered(2)))
    assert 7.5 == caught.value.retry_after
    assert 0 == target.counters.get("unknown")


def test_reading_a_retry_info() -> None:
    """What is none, or is cut anywhere, asks for nothing."""
    whole = retry_info(3)
    assert 3.0 == retry_delay(whole)
    assert 0.0 == retry_delay(retry_info(0))
    assert 0.0 == retry_delay(retry_info(-1))
    assert retry_delay(b"") is None
    for at in range(len(whole)):
        assert retry_delay(whole[:at]) is None
    assert retry_delay(bytes(range(256))) is None
    assert retry_delay(b"\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80") is None


def test_a_message_that_is_too_large_is_split(server: Server, target: OTLPDestination) -> None:
    """Until it fits; a single record that does not is rejected."""
    frames = numbered(20)
    server.most = 2_000
    assert target.deliver(make_batch(frames)) is None
    assert target.counters.get("split") > 0
    server.most = 10
    (outcome,) = target.deliver(make_batch(frames[:1])) or ()
    assert Verdict.REJECTED is outcome.verdict
    assert "larger than max" in outcome.reason


def test_partial_success(server: Server, target: OTLPDestination) -> None:
    """As over HTTP: all are rejected, or some are counted, and nothing is sent again."""
    server.answers = [Say(body=partial(2, "no").body), Say(body=partial(1, "one").body), Say(body=b"\xff")]
    outcomes = target.deliver(make_batch(numbered(2))) or ()
    assert {Verdict.REJECTED} == {outcome.verdict for outcome in outcomes}
    assert target.deliver(make_batch(numbered(2))) is None
    assert target.deliver(make_batch(numbered(2))) is None
    counts = target.counters.snapshot()
    assert (1, 1, 3) == (counts["rejected_in_part"], counts["unreadable"], counts["requests"])


def test_a_call_without_an_answer_makes_the_next_channel(
    server: Server, proxy: Callable[[str, int], Proxy]
) -> None:
    """A connection that swallows everything is not used for ever."""
    door = proxy("127.0.0.1", server.port)
    target = to(f"http://127.0.0.1:{door.port}", timeout=0.3)
    target.open()
    assert target.deliver(make_batch(numbered(1))) is None
    door.deaf()
    with pytest.raises(UnknownOutcome, match="DEADLINE_EXCEEDED"):
        target.deliver(make_batch(numbered(3)))
    assert 3 == target.counters.get("unknown")
    exchange = target._exchange
    assert isinstance(exchange, GRPCExchange)
    before = exchange._channel
    door.pass_through()
    target.open()
    assert exchange._channel is not before
    assert target.deliver(make_batch(numbered(1))) is None
    target.close()


def test_probe(server: Server, target: OTLPDestination) -> None:
    """Any answer is a sign of life, and no record is sent for it."""
    target.probe()
    server.answers = [Say("UNIMPLEMENTED")]
    target.probe()
    server.answers = [Say("UNAVAILABLE")]
    with pytest.raises(RetryableError):
        target.probe()
    assert {"/grpc.health.v1.Health/Check"} == {method for method, _, _ in server.calls}


def test_no_server(server: Server) -> None:
    """Nothing was sent: no record's outcome is unknown."""
    server.stop()
    target = to(server.url)
    with pytest.raises(RetryableError, match="no connection"):
        target.probe()
    with pytest.raises(RetryableError, match="no connection"):
        target.deliver(make_batch(numbered(1)))
    assert 0 == target.counters.get("unknown")
    target.close()


def test_no_span_of_an_instrumentation(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interceptor, which is what OpenTelemetry's instrumentation of gRPC clients is, is told to pass over it."""
    utils = pytest.importorskip("opentelemetry.instrumentation.utils")
    enabled: list[bool] = []

    class Look(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        def intercept_unary_unary(self, going_on: Any, details: Any, request: Any) -> Any:
            enabled.append(utils.is_instrumentation_enabled())
            return going_on(details, request)

    make = grpc.insecure_channel
    monkeypatch.setattr(grpc, "insecure_channel", lambda *given: grpc.intercept_channel(make(*given), Look()))
    target = to(server.url)
    assert target.deliver(make_batch(numbered(1))) is None
    target.probe()
    target.close()
    assert [False, False] == enabled
    assert utils.is_instrumentation_enabled()
