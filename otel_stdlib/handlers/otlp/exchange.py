"""One request and its answer, whatever carries it; and over HTTP."""

from __future__ import annotations

from typing import Protocol

from otel_stdlib.facts.clock import wall
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.handlers.otlp.options import OTLPOptions
from otel_stdlib.handlers.otlp.outcome import (
    Partial,
    explain,
    is_of_the_target,
    is_too_large,
    read_partial,
    refused,
)
from otel_stdlib.handlers.otlp.wire import Reply, Wire

__all__ = ["Exchange", "HTTPExchange", "RefusedError", "TargetError", "TooLargeError"]


class TooLargeError(Exception):
    """A smaller request may be taken."""


class RefusedError(Exception):
    """The request's records are refused for good, and smaller requests would be too."""


class TargetError(RetryableError):
    """The server, or something before it, refused whoever asks: no record is at fault."""


class Exchange(Protocol):
    """Sends requests. Threads may do so at the same time, ``max_workers`` of them."""

    def open(self) -> None:
        """See to the connection before each batch, on the delivery thread while nothing is on its way."""

    def use(self, options: OTLPOptions) -> None:
        """Take other headers, from the next request on."""

    def send(self, body: bytes, content_type: str) -> Partial:
        """Send one request; what the answer says of the records that were taken.

        Raises:
            UnknownOutcome: it was sent, or may have been, and no answer came.
            RetryableError: it is to be sent again.
            TooLargeError: it is to be sent in parts.
            PermanentError: it was refused as it is: one of its records may be at fault.
            RefusedError: it was refused for good.
        """

    def probe(self) -> None:
        """Ask for a sign of life.

        Raises:
            RetryableError: there is none, or one that asks for patience.
        """

    def close(self) -> None:
        """Let go of the connections."""


class HTTPExchange:
    """OTLP/HTTP.

    Args:
        options: see ``OTLPOptions``.
        counters: gets ``requests``, those that were answered.

    Raises:
        RetryableError: the client cannot be made.
    """

    def __init__(self, options: OTLPOptions, counters: Counters) -> None:
        self._url = options.url
        self._retryable = options.retryable
        self._counters = counters
        self._wire = Wire(options)

    def open(self) -> None:
        """Nothing: it connects with a request, and its pool sees to old connections."""

    def use(self, options: OTLPOptions) -> None:
        """The headers of the next request."""
        self._wire.use(options)

    def send(self, body: bytes, content_type: str) -> Partial:
        """One POST."""
        reply = self._wire.post(body, content_type)
        self._counters.add("requests")
        if 200 <= reply.status < 300:
            return read_partial(reply.headers.get("content-type", ""), reply.body)
        if reply.status in self._retryable:
            raise self._again(reply)
        text = self._text(reply)
        if is_too_large(reply.status, text):
            raise TooLargeError(text)
        kind = reply.headers.get("content-type", "")
        if is_of_the_target(reply.status, kind, reply.body):
            raise TargetError(f"{text} (check 'endpoint', 'headers' and any proxy; records wait)")
        raise PermanentError(text) if reply.status == 400 else RefusedError(text)

    def probe(self) -> None:
        """One GET, which has nothing to show."""
        reply = self._wire.probe()
        if reply.status in self._retryable:
            raise self._again(reply)

    def close(self) -> None:
        """Close them."""
        self._wire.close()

    def _again(self, reply: Reply) -> RetryableError:
        return refused(reply.headers, self._text(reply), wall())

    def _text(self, reply: Reply) -> str:
        reason = explain(reply.headers.get("content-type", ""), reply.body) or "no reason given"
        return f"{self._url} answered {reply.status}: {reason}"
