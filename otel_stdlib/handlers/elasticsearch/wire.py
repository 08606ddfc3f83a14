"""Requests on the official client, with its errors translated at this edge."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from otel_stdlib.facts.errors import ConfigError, MissingExtraError, RetryableError
from otel_stdlib.facts.imports import load, load_if_green
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.handlers.addresses import Connector
from otel_stdlib.handlers.connections import connecting
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.proxy import node_class

__all__ = ["Reply", "UnknownOutcome", "Wire", "require_client"]

JSON = "application/vnd.elasticsearch+json; compatible-with=9"
NDJSON = "application/vnd.elasticsearch+x-ndjson; compatible-with=9"
# Level 1 is about five times as fast as the client's own level 9 and compresses log lines nearly as well.
_GZIP_LEVEL = 1
_AGENT = "otel_stdlib"
_DRIVER = ("urllib3", "elastic_transport")
# Sent with each request: the transport's default is three retries.
_NO_RETRIES: dict[str, Any] = {"max_retries": 0, "retry_on_timeout": False, "retry_on_status": ()}


class UnknownOutcome(RetryableError):
    """A request was sent, or may have been, and no answer came: it may be stored."""


class Reply(NamedTuple):
    """An answer: whatever the status."""

    status: int
    headers: Mapping[str, str]
    #: JSON as Python values; text where it is none.
    body: Any


def require_client() -> None:
    """See that the driver is installed, without importing it; under gevent and eventlet import it.

    Raises:
        MissingExtraError: it is not.
    """
    if find_spec("elasticsearch") is None:
        raise MissingExtraError("the Elasticsearch handler", "elasticsearch")
    load_if_green(*_DRIVER)


class Wire:
    """The official client's transport. Threads may send requests at the same time, ``max_workers`` of them.

    Its own retries are off: the delivery thread owns them. The layer above it, the package ``elasticsearch``, is not
    imported: that takes a second of CPU time, in pieces that stop every other thread, for methods that are not
    used here. It would also make a span of each request, and fill the application's traces.

    Raises:
        RetryableError: the client cannot be made, for example because ``ca_certs`` cannot be read.
    """

    def __init__(self, options: ElasticsearchOptions) -> None:
        self._options = options
        self.timeout = options.timeout
        #: The hosts without credentials, for messages.
        self.where = ", ".join(options.hosts)
        self._attempts = len(options.hosts)
        self._headers = _authorization(options)
        try:
            self._transport = self._make_transport()
        except (OSError, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
            raise RetryableError(f"cannot make a client for {self.where} ('ca_certs'?): {text}") from error

    def _make_transport(self) -> Any:
        load(*_DRIVER)
        from elastic_transport import OrjsonSerializer, Transport
        from elastic_transport.client_utils import url_to_node_config

        class Raw(OrjsonSerializer):
            """Bodies are bytes already: the transport's own serializer for them would copy them twice."""

            mimetype = "application/x-ndjson"

        options = self._options
        tls: dict[str, Any] = {}
        if any(host.startswith("https:") for host in options.hosts):
            tls["verify_certs"] = options.verify_certs
            if options.ca_certs is not None:
                tls["ca_certs"] = options.ca_certs
        settings = {"connections_per_node": options.max_workers, "headers": {"user-agent": _AGENT}, **tls}
        nodes = [url_to_node_config(host).replace(**settings) for host in options.hosts]
        # ``compatible-with`` asks for media types of the product's own.
        serializers = {
            f"application/{prefix}{kind}": serializer
            for kind, serializer in (("json", OrjsonSerializer()), ("x-ndjson", Raw()))
            for prefix in ("", "vnd.elasticsearch+")
        }
        transport = Transport(nodes, node_class=node_class(), serializers=serializers)
        connector = Connector()
        for node in transport.node_pool.all():
            pool: Any = node.pool  # type: ignore[attr-defined, unused-ignore]
            pool.ConnectionCls = connecting(pool.ConnectionCls, connector, options)
        return transport

    def request(self, method: str, target: str, body: bytes | None = None, *, ndjson: bool = False) -> Reply:
        """Send one request; a node that cannot be reached is left for the next one.

        Raises:
            UnknownOutcome: the connection ended or the time was over before an answer came.
            RetryableError: no server could be reached.
        """
        from elastic_transport import ConnectionError as Unreachable
        from elastic_transport import ConnectionTimeout, TlsError, TransportError

        headers = {"accept": JSON, **self._headers}
        if body is not None:
            headers["content-type"] = NDJSON if ndjson else JSON
            if self._options.gzip:
                headers["content-encoding"] = "gzip"
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        for left in range(self._attempts - 1, -1, -1):
            try:
                meta, content = self._transport.perform_request(
                    method, target, headers=headers, body=body, request_timeout=self.timeout, **_NO_RETRIES
                )
            except ConnectionTimeout as error:
                raise UnknownOutcome(f"no answer from {self.where} within {self.timeout} s") from error
            except TlsError as error:
                trust = f" ('ca_certs' is {self._options.ca_certs!r})" if self._options.ca_certs else ""
                raise RetryableError(
                    f"no secure connection to {self.where}: {_text(error)}{trust}"
                ) from error
            except Unreachable as error:
                if left:
                    continue
                kind = RetryableError if _never_sent(error) else UnknownOutcome
                raise kind(f"no connection to {self.where}: {_text(error)}") from error
            except TransportError as error:
                raise UnknownOutcome(f"{self.where} answered nonsense: {_text(error)}") from error
            return Reply(meta.status, meta.headers, content)
        raise ConfigError("there is no host", option="hosts")  # pragma: no cover - options see to that

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _authorization(options: ElasticsearchOptions) -> dict[str, str]:
    # Header by header, as these requests pass below the client's own.
    def encoded(pair: Sequence[str]) -> str:
        return base64.b64encode(":".join(pair).encode()).decode()

    if options.api_key is not None:
        key = options.api_key if isinstance(options.api_key, str) else encoded(options.api_key)
        return {"authorization": f"ApiKey {key}"}
    if options.basic_auth is not None:
        return {"authorization": f"Basic {encoded(options.basic_auth)}"}
    return {}


def _never_sent(error: Exception) -> bool:
    """Whether there was no connection at all, so that nothing can have been stored."""
    from urllib3.exceptions import NewConnectionError

    return isinstance(error.__cause__, NewConnectionError)


def _text(error: Exception) -> str:
    # The cause says more than the client's own text, which for TLS is "TLS error".
    return mask_secrets(" ".join(str(error.__cause__ or error).split()))[:500]
