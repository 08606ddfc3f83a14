"""A small gRPC server that answers as a test says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_stdlib.handlers.otlp import OTLPDestination, OTLPOptions
from tests.handlers.otlp.parts import QUICK

grpc = pytest.importorskip("grpc")
OK = "OK"


class Say(NamedTuple):
    """What the server says to one call."""

    code: str = OK
    details: str = ""
    body: bytes = b""
    #: A serialized ``google.rpc.Status``.
    status: bytes = b""


class Server(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A gRPC server that says what stands in ``answers``, and then OK."""

    def __init__(self) -> None:
        self.answers: list[Say] = []
        self.poison: set[str] = set()
        #: What it says as long as there are no ``answers``; None: OK, as far as the next ones allow.
        self.mood: Callable[[list[str]], Say | None] = lambda records: None
        #: The bodies of the records that it said OK to.
        self.taken: Counter[str] = Counter()
        #: More bytes are too large.
        self.most = 1 << 30
        self.calls: list[tuple[str, dict[str, Any], bytes]] = []
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def service(self, handler_call_details: Any) -> Any:
        """Every method is there."""
        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self._answer(method, body, context))

    def _answer(self, method: str, body: bytes, context: Any) -> bytes:
        self.calls.append((method, dict(context.invocation_metadata()), body))
        if self.answers:
            say = self.answers.pop(0)
        elif (found := self.mood(bodies(body))) is not None:
            say = found
        elif len(body) > self.most:
            say = Say("RESOURCE_EXHAUSTED", "grpc: received message larger than max (9 vs. 1)")
        elif self.poison.intersection(bodies(body)):
            say = Say("INVALID_ARGUMENT", "bad record")
        else:
            say = Say()
        if say.status:
            context.set_trailing_metadata((("grpc-status-details-bin", say.status),))
        if say.code != OK:
            context.abort(grpc.StatusCode[say.code], say.details)
        self.taken.update(bodies(body))
        return say.body

    def stop(self) -> None:
        """End it."""
        self._server.stop(None).wait(10)


def bodies(body: bytes) -> list[str]:
    """The bodies of a request's records."""
    return [
        record.body.string_value
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def retry_info(seconds: int, nanos: int = 0) -> bytes:
    """A status that asks for a pause, made by the official messages."""
    details = pytest.importorskip("google.rpc.error_details_pb2")
    status = pytest.importorskip("google.rpc.status_pb2").Status(code=14, message="later")
    status.details.add().Pack(details.DebugInfo(detail="x" * 200))
    info = details.RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    status.details.add().Pack(info)
    made: bytes = status.SerializeToString()
    return made


def to(url: str, **options: Any) -> OTLPDestination:
    """A destination by gRPC."""
    return OTLPDestination(OTLPOptions.of({"endpoint": url, "protocol": "grpc", **QUICK, **options}))
