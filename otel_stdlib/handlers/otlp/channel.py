"""OTLP/gRPC: the same requests as calls on a gRPC channel, with its errors translated at this edge.

    OK                                      taken, but for what ``partial_success`` says
    CANCELLED, DEADLINE_EXCEEDED, ABORTED,
    OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS    try again, after the delay of a ``RetryInfo`` where there is one
    RESOURCE_EXHAUSTED                      the same with a ``RetryInfo``; for a message that is too large, in parts
    INVALID_ARGUMENT, a message that the    refused as it is: the batch is halved until the record at fault is
    server cannot read (INTERNAL)           found
    UNAUTHENTICATED, PERMISSION_DENIED,     try again: the token or the target, and not the records
    UNIMPLEMENTED
    an HTTP status (a proxy's), a stream    try again: no OTLP server wrote it; 413 in parts
    that is reset or that ends too early
    anything else                           refused for good

OTLP/gRPC has the statuses of the second entry as all that may be tried again: see ``outcome``.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import MissingExtraError, PermanentError, RetryableError, ThrottledError
from otel_stdlib.facts.imports import load, load_if_green
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.threads import Event
from otel_stdlib.handlers.otlp.exchange import RefusedError, TargetError, TooLargeError
from otel_stdlib.handlers.otlp.options import OTLPOptions
from otel_stdlib.handlers.otlp.outcome import Partial, read_partial
from otel_stdlib.handlers.otlp.protobuf import MESSAGES
from otel_stdlib.handlers.otlp.quiet import uninstrumented
from otel_stdlib.handlers.otlp.retryinfo import retry_delay
from otel_stdlib.handlers.otlp.target import RETRYABLE_CODES
from otel_stdlib.handlers.otlp.wire import UnknownOutcome

__all__ = ["GRPCExchange", "require_grpc"]

_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
#: Hardly any server has it, and any answer is a sign of life. An empty export is none of OTLP's.
_HEALTH = "/grpc.health.v1.Health/Check"
_DETAILS = "grpc-status-details-bin"
#: OTLP: an answer of more is nothing to wait for.
_MOST_ANSWER = 4 << 20
_UNREAD = "unmarshal"
#: How Go's, Java's and the C core's servers, and our own side, say that a message is too large.
_TOO_LARGE = re.compile(r"larger than (the )?(max|limit)|exceeds (the )?(max|limit)", re.IGNORECASE)
#: A status that came with no gRPC status: a proxy's or a web server's. gRPC makes a code of it that says less.
_HTTP_STATUS = re.compile(r"http2 header with status: (\d{3})")
#: The stream or its connection ended before an answer; the code that gRPC makes of it may be any.
_CUT = re.compile(r"RST_STREAM|Stream removed|Socket closed|Connection reset")
#: Nothing was sent.
_NO_CONNECTION = "failed to connect"
_LONGEST = 1_000
_DRIVER = ("grpc", "google.rpc.status_pb2", "google.rpc.error_details_pb2")


def require_grpc() -> None:
    """See that the packages of the extra are installed, without importing them; under gevent and eventlet import them.

    Raises:
        MissingExtraError: one is not.
    """
    try:
        there = all(find_spec(name) for name in ("grpc", "google.rpc", "opentelemetry.proto"))
    except ModuleNotFoundError:  # no package "google" or "opentelemetry" at all
        there = False
    if not there:
        raise MissingExtraError("the OTLP handler with protocol 'grpc'", "otlp-grpc")
    load_if_green(*_DRIVER, MESSAGES)


class GRPCExchange:
    """One channel, kept open. See ``Exchange``.

    Nothing is retried by gRPC itself, and no span of an instrumentation is made of a call. Proxies are those
    of gRPC's own variables.

    Args:
        options: see ``OTLPOptions``.
        counters: gets ``requests``, those that were answered.

    Raises:
        RetryableError: the channel cannot be made.
    """

    def __init__(self, options: OTLPOptions, counters: Counters) -> None:
        self._options = options
        self._counters = counters
        self._url = options.url
        self.use(options)
        #: A call got no answer, or no secure connection: what looks alive may be dead, and files may be newer.
        self._doubtful = Event()
        self._channel: Any = None
        self._lifetime = options.lifetime()
        self._make()

    def open(self) -> None:
        """Make another channel where a call got no answer on the last one, or its lifetime is over."""
        if self._doubtful.is_set() or self._lifetime.is_over:
            self._channel.close()
            self._make()

    def use(self, options: OTLPOptions) -> None:
        """The metadata of the next call."""
        self._metadata = tuple(options.sent_headers.items())

    def send(self, body: bytes, content_type: str) -> Partial:
        """One call."""
        answer = self._call(self._export, body, self._compression)
        self._counters.add("requests")
        return read_partial("application/x-protobuf", answer)

    def probe(self) -> None:
        """One call of a method that need not be there."""
        try:
            self._call(self._health, b"", None)
        except (TooLargeError, RefusedError, PermanentError, TargetError):
            return  # it answered

    def close(self) -> None:
        """Close it."""
        self._channel.close()

    def _make(self) -> None:
        load(*_DRIVER)
        import grpc

        self._errors, self._codes = grpc.RpcError, grpc.StatusCode
        try:
            with uninstrumented():
                self._channel = _make_channel(self._options)
                self._export = self._channel.unary_unary(_EXPORT)
                self._health = self._channel.unary_unary(_HEALTH)
        except (OSError, ValueError) as error:  # a certificate's file
            raise RetryableError(f"cannot make a channel to {self._url}: {_text(error)}") from error
        gzip = self._options.compression == "gzip"
        self._compression = grpc.Compression.Gzip if gzip else None
        self._doubtful.clear()
        self._lifetime = self._options.lifetime()

    def _call(self, method: Any, body: bytes, compression: Any) -> bytes:
        try:
            with uninstrumented():
                answer: bytes = method(
                    body, timeout=self._options.timeout, metadata=self._metadata, compression=compression
                )
                self._lifetime.use()
                return answer
        except self._errors as error:
            raise self._translated(error) from error
        except ValueError as error:  # a channel that another thread closed
            raise RetryableError(f"no channel to {self._url}: {_text(error)}") from error

    def _translated(self, error: Any) -> Exception:
        code, details = error.code(), _text(error.details())
        text = f"{self._url} answered {code.name}: {details or 'no reason given'}"
        codes = self._codes
        if code is codes.UNAVAILABLE and details.startswith(_NO_CONNECTION):
            if self._options.is_secure:
                self._doubtful.set()  # certificates are read once a channel: their files may have been renewed
            return RetryableError(f"no connection to {self._url}: {details}")
        if code is codes.DEADLINE_EXCEEDED:
            self._doubtful.set()
        http = _HTTP_STATUS.search(details)
        if http is not None and code is not codes.UNAVAILABLE:
            self._counters.add("requests")
            refusal = f"{self._url} answered HTTP {http[1]}"
            if http[1] == "413":
                return TooLargeError(f"{refusal}: the request is too large")
            return TargetError(
                f"{refusal}, not OTLP (check 'endpoint', 'headers' and any proxy; records wait)"
            )
        if _CUT.search(details):
            return UnknownOutcome(text, cut=True)
        status = next((value for key, value in error.trailing_metadata() or () if key == _DETAILS), b"")
        delay = retry_delay(status)
        exhausted = code is codes.RESOURCE_EXHAUSTED
        if exhausted and delay is None and _TOO_LARGE.search(details):
            self._counters.add("requests")
            return TooLargeError(text)
        if code.name in self._options.retryable_codes or (exhausted and delay is not None):
            if delay is not None:
                self._counters.add("requests")
                return ThrottledError(text, delay)
            # Whether the server or a lost connection says so cannot be told: the records may be stored.
            return UnknownOutcome(text) if code.name in RETRYABLE_CODES else RetryableError(text)
        self._counters.add("requests")
        if code in (codes.UNAUTHENTICATED, codes.PERMISSION_DENIED, codes.UNIMPLEMENTED):
            return TargetError(f"{text} (check 'endpoint' and 'headers'; records wait)")
        if code is codes.INVALID_ARGUMENT or (code is codes.INTERNAL and _UNREAD in details):
            return PermanentError(text)
        return RefusedError(text)


def _make_channel(options: OTLPOptions) -> Any:
    import grpc

    settings: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", "otel_stdlib"),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", _MOST_ANSWER),
        # When to try again is the delivery thread's to say.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # A connection of its own: in a forked child, and for each handler.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if options.tcp_keepalive:
        # Its own questions, as it has no option for TCP's; only during calls, since servers end connections for more.
        settings.append(("grpc.keepalive_time_ms", int(options.tcp_keepalive * 1_000)))
    if not options.is_secure:
        return grpc.insecure_channel(options.target, settings)
    chain = _read(options.client_certificate)
    key = _read(options.client_key) if options.client_key is not None else chain
    return grpc.secure_channel(
        options.target, grpc.ssl_channel_credentials(_read(options.certificate), key, chain), settings
    )


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def _text(error: object) -> str:
    return mask_secrets(" ".join(str(error or "").split()))[:_LONGEST]
