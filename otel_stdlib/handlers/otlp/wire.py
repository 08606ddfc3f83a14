"""Requests on urllib3, with its errors translated at this edge."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import MissingExtraError, RetryableError
from otel_stdlib.facts.imports import load, load_if_green
from otel_stdlib.handlers.connections import words_of
from otel_stdlib.handlers.otlp.options import OTLPOptions
from otel_stdlib.handlers.otlp.pools import pool_classes
from otel_stdlib.handlers.otlp.protobuf import MESSAGES
from otel_stdlib.handlers.otlp.quiet import uninstrumented
from otel_stdlib.handlers.proxies import proxy_for

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["Reply", "UnknownOutcome", "Wire", "require_client"]

#: OTLP: "Clients SHOULD limit the response body to 4 MiB" is the recommendation.
_MOST_ANSWER = 4 << 20
# Level 1 is several times as fast as the usual 6 and compresses log records nearly as well.
_LEVEL = 1
_AGENT = "otel_stdlib"


class UnknownOutcome(RetryableError):
    """A request was sent, or may have been, and no answer came: it may be stored.

    ``cut``: the connection was reset or closed, which some paths do to a request that is too large for them.
    """

    def __init__(self, message: str, *, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


class Reply(NamedTuple):
    """An answer, whatever the status; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def require_client() -> None:
    """See that the packages of the extra are installed, without importing them; under gevent and eventlet import them.

    Raises:
        MissingExtraError: one is not.
    """
    try:
        there = find_spec("urllib3") and find_spec("opentelemetry.proto")
    except ModuleNotFoundError:  # no package "opentelemetry" at all
        there = None
    if there is None:
        raise MissingExtraError("the OTLP handler", "otlp")
    load_if_green("urllib3", MESSAGES)


class Wire:
    """Connections, kept open. Threads may send requests at the same time, ``max_workers`` of them.

    Nothing is retried or redirected here, and no span of an instrumentation is made of a request.
    Proxies are those of the usual variables (``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY`` …).

    Raises:
        RetryableError: the client cannot be made.
    """

    def __init__(self, options: OTLPOptions) -> None:
        self.url = options.url
        self._timeout = options.timeout
        self._compression = options.compression
        self.use(options)
        try:
            self._pool = _make_pool(options)
        except (OSError, ValueError) as error:
            raise RetryableError(f"cannot make a client for {self.url}: {words_of(error)}") from error

    def use(self, options: OTLPOptions) -> None:
        """Take other headers, from the next request on."""
        self._headers = {"user-agent": _AGENT, **options.sent_headers}

    def post(self, body: bytes, content_type: str) -> Reply:
        """Send one body.

        Raises:
            UnknownOutcome: the connection ended or the time was over before an answer came.
            RetryableError: no server could be reached.
        """
        headers = {**self._headers, "content-type": content_type}
        if self._compression == "gzip":
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, _LEVEL, mtime=0)
        elif self._compression == "deflate":
            headers["content-encoding"] = "deflate"
            body = zlib.compress(body, _LEVEL)
        return self._request("POST", headers, body)

    def probe(self) -> Reply:
        """Ask for the endpoint, which has nothing to show: any answer is a sign of life.

        Raises:
            RetryableError: none came.
        """
        return self._request("GET", self._headers, None)

    def _request(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        from urllib3 import Timeout
        from urllib3 import exceptions as errors

        # Connecting and waiting for an answer have a limit each: one that is left of the other's may be nothing.
        deadline = monotonic() + 2 * self._timeout
        try:
            with uninstrumented():
                answer = self._pool.request(
                    method,
                    self.url,
                    body=body,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    timeout=Timeout(connect=self._timeout, read=self._timeout),
                )
                return _read(answer, deadline)
        except (errors.NewConnectionError, errors.ConnectTimeoutError, errors.ProxyError) as error:
            raise RetryableError(f"no connection to {self.url}: {words_of(error)}") from error
        except errors.SSLError as error:
            raise RetryableError(f"no secure connection to {self.url}: {words_of(error)}") from error
        except (errors.TimeoutError, TimeoutError) as error:
            raise UnknownOutcome(f"no answer from {self.url} within {self._timeout} s") from error
        except errors.HTTPError as error:
            cut = isinstance(error, errors.ProtocolError)
            raise UnknownOutcome(f"no answer from {self.url}: {words_of(error)}", cut=cut) from error
        except OSError as error:  # a certificate's file
            raise RetryableError(f"no connection to {self.url}: {words_of(error)}") from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _read(answer: BaseHTTPResponse, deadline: float) -> Reply:
    """Read an answer to its end, which a slow server does not put off for ever."""
    parts: list[bytes] = []
    size = 0
    try:
        for part in answer.stream(1 << 16, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > _MOST_ANSWER:
                break
            if monotonic() > deadline:
                raise TimeoutError
        whole = size <= _MOST_ANSWER
    except BaseException:
        answer.close()
        raise
    if whole:
        answer.release_conn()
    else:
        answer.close()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, b"".join(parts))


def _make_pool(options: OTLPOptions) -> PoolManager:
    load("urllib3")
    from urllib3 import PoolManager, ProxyManager, make_headers

    tls: dict[str, Any] = {}
    parts = urlsplit(options.url)
    if parts.scheme == "https":
        tls["cert_reqs"] = "CERT_REQUIRED"
        if options.certificate is not None:
            tls["ca_certs"] = options.certificate
        if options.client_certificate is not None:
            tls["cert_file"] = options.client_certificate
            tls["key_file"] = options.client_key
    proxy = proxy_for(options.url, os.environ)
    if proxy is None:
        direct = PoolManager(num_pools=1, maxsize=options.max_workers, **tls)
        direct.pool_classes_by_scheme = pool_classes(options)
        return direct
    through = urlsplit(proxy)
    secret = None
    if through.username is not None:
        pair = f"{unquote(through.username)}:{unquote(through.password or '')}"
        secret = make_headers(proxy_basic_auth=pair)
        through = through._replace(netloc=through.netloc.rpartition("@")[2])
    proxied = ProxyManager(
        through.geturl(), num_pools=1, maxsize=options.max_workers, proxy_headers=secret, **tls
    )
    proxied.pool_classes_by_scheme = pool_classes(options)
    return proxied
