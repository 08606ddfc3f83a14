"""Frames, a small HTTP server that answers as a test says, and counts of what arrived."""

from __future__ import annotations

import gzip
import itertools
import logging
import secrets
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from otel_stdlib.delivery.contract import Batch, Origin
from otel_stdlib.handlers.otlp import OTLPDestination, OTLPOptions
from otel_stdlib.record.encoder import LineEncoder
from otel_stdlib.spool.frame import Frame

RESOURCE = orjson.dumps({"service.name": "shop", "process.pid": 4711})
#: Options that make a test's retries quick.
QUICK: dict[str, Any] = {
    "retry_delay": 0.02,
    "max_retry_delay": 0.2,
    "circuit_breaker_timeout": 0.1,
    "health_check_interval": 0.1,
    "batch_age": 0.0,
    "max_retries": 1_000_000,
}
_encoder = LineEncoder()
_ids = itertools.count()


def make_origin() -> Origin:
    """An origin that no other test has."""
    return Origin(f"01{secrets.token_hex(10).upper()}{next(_ids):04d}"[:26], RESOURCE)


def make_frame(number: int, message: Any = "hello", *, logger: str = "shop", **extra: Any) -> Frame:
    """A record as the spool holds it."""
    record = logging.LogRecord(logger, logging.INFO, __file__, 7, message, (), None)
    record.__dict__.update(extra)
    payload, severity, time_ns = _encoder.encode(record)
    return Frame(number * 1_000, time_ns, record.levelno, severity, payload)


def make_batch(frames: Sequence[Frame], origin: Origin | None = None) -> Batch:
    """A batch of an origin of its own."""
    return Batch(origin or make_origin(), frames, frames[0].lsn, frames[-1].lsn + 1)


def numbered(count: int, **extra: Any) -> list[Frame]:
    """``count`` records whose bodies are their numbers."""
    return [make_frame(n, f"{n}", **extra) for n in range(count)]


def destination(url: str, **options: Any) -> OTLPDestination:
    """A destination with quick retries."""
    return OTLPDestination(OTLPOptions.of({"endpoint": url, **QUICK, **options}))


class Answer(NamedTuple):
    """What the server says to one request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    #: As it stood before compression.
    body: bytes

    def bodies(self) -> list[str]:
        """The bodies of the records, in their order."""
        message = ExportLogsServiceRequest.FromString(self.body)
        return [
            record.body.string_value
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class Gateway(ThreadingHTTPServer):
    """An OTLP/HTTP server that answers what stands in ``answers``, and then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        #: Beyond this size of a request it answers 413.
        self.most = 1 << 30
        #: Bodies of records for which it answers 400.
        self.poison: set[str] = set()
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        """Its address without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """What it says."""
        self.requests.append(request)
        if request.method != "POST":
            return Answer(405)
        if self.answers:
            return self.answers.pop(0)
        if len(request.body) > self.most:
            return Answer(413, b"too large", {"content-type": "text/plain"})
        if self.poison.intersection(request.bodies()):
            return Answer(400, b'{"code":3,"message":"bad record"}', {"content-type": "application/json"})
        return Answer(200, b"", {"content-type": "application/x-protobuf"})

    def taken(self) -> Counter[str]:
        """The bodies of every record in every request so far."""
        return Counter(
            body for request in self.requests if request.method == "POST" for body in request.bodies()
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        coding = self.headers.get("content-encoding", "")
        if coding == "gzip":
            body = gzip.decompress(body)
        elif coding == "deflate":
            body = zlib.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answer(Request(self.command, self.path, headers, body))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def gateway() -> Iterator[Gateway]:
    """A running one."""
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def partial(rejected: int, message: str = "") -> Answer:
    """An answer 200 with a partial success, in protobuf."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = message
    return Answer(200, response.SerializeToString(), {"content-type": "application/x-protobuf"})
