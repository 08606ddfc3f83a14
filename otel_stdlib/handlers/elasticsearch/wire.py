"""Requests on the official client, with its errors translated at this edge."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError, MissingExtraError, RetryableError
from otel_stdlib.facts.imports import load, load_if_green
from otel_stdlib.handlers.addresses import Connector
from otel_stdlib.handlers.connections import connecting, words_of
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.proxy import node_class
from otel_stdlib.handlers.places import Places

__all__ = ["Reply", "UnknownOutcome", "Wire", "require_client"]

JSON = "application/vnd.elasticsearch+json; compatible-with=9"
NDJSON = "application/vnd.elasticsearch+x-ndjson; compatible-with=9"
# Level 1 is about five times as fast as the client's own level 9 and compresses log lines nearly as well.
_GZIP_LEVEL = 1
_AGENT = "otel_stdlib"
_DRIVER = ("urllib3", "elastic_transport")
#: Seconds that a node which is not known to work may take for a first answer.
_LOOK = 3.0
#: A gateway whose node is down, and a node that is starting or ending.
_ILL = (502, 503, 504)


class UnknownOutcome(RetryableError):
    """A request was sent, or may have been, and no answer came: it may be stored."""


class _NextNode(RetryableError):
    """One node cannot be reached. ``sent``: the request may have been."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


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

    Requests go straight to its nodes, below the layer that would retry them and try a dead node with records
    again and again. The layer above it, the package ``elasticsearch``, is not
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
        self._headers = _authorization(options)
        try:
            self._transport = self._make_transport()
            self._nodes: list[Any] = self._transport.node_pool.all()
            self._places = Places(len(self._nodes))
        except (OSError, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
            raise RetryableError(f"cannot make a client for {self.where} ('ca_certs'?): {text}") from error

    def use(self, options: ElasticsearchOptions) -> None:
        """Take other credentials, from the next request on."""
        self._headers = _authorization(options)

    def _make_transport(self) -> Any:
        load(*_DRIVER)
        from elastic_transport import OrjsonSerializer, Transport
        from elastic_transport.client_utils import url_to_node_config

        options = self._options
        tls: dict[str, Any] = {}
        if any(host.startswith("https:") for host in options.hosts):
            tls["verify_certs"] = options.verify_certs
            if options.ca_certs is not None:
                tls["ca_certs"] = options.ca_certs
        settings = {"connections_per_node": options.max_workers, "headers": {"user-agent": _AGENT}, **tls}
        nodes = [url_to_node_config(host).replace(**settings) for host in options.hosts]
        # Of answers: ``compatible-with`` asks for a media type of the product's own.
        serializers = dict.fromkeys(
            ("application/json", "application/vnd.elasticsearch+json"), OrjsonSerializer()
        )
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
        headers = {"accept": JSON, **self._headers}
        if body is not None:
            headers["content-type"] = NDJSON if ndjson else JSON
            if self._options.gzip:
                headers["content-encoding"] = "gzip"
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        self._look_for_nodes()
        failures: list[str] = []
        sent = False
        order = self._places.order(in_turn=True)
        for number in order:
            try:
                return self._send(number, method, target, headers, body)
            except _NextNode as error:
                failures.append(str(error))
                sent = sent or error.sent
                if number == order[-1]:
                    kind = UnknownOutcome if sent else RetryableError
                    raise kind("; ".join(failures)) from error
        raise ConfigError("there is no host", option="hosts")  # pragma: no cover - options see to that

    def _look_for_nodes(self) -> None:
        """Ask nodes that are not known to work, with a short limit, so that no records wait for a dead one."""
        if len(self._nodes) == 1:
            return
        while (number := self._places.to_ask()) is not None:
            try:
                self._send(number, "HEAD", "/", self._headers, None, min(self.timeout, _LOOK))
            except RetryableError:
                pass
            if self._places.any_works:
                return

    def _send(
        self,
        number: int,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | None,
        timeout: float | None = None,
    ) -> Reply:
        """Send one request to one node.

        Raises:
            _NextNode: it did not take it, so that another one may.
            UnknownOutcome: it took it, and no answer came.
        """
        from elastic_transport import ConnectionError as Unreachable
        from elastic_transport import ConnectionTimeout, TlsError, TransportError

        node = self._nodes[number]
        limit = timeout or self.timeout
        try:
            found = node.perform_request(method, target, body=body, headers=headers, request_timeout=limit)
            meta = found.meta
            content = (
                self._transport.serializers.loads(found.body, meta.mimetype) if method != "HEAD" else None
            )
        except ConnectionTimeout as error:
            text = f"no answer from {node.base_url} within {limit:g} s"
            self._failed(number, text)
            raise _NextNode(text) if _never_sent(error) else UnknownOutcome(text) from error
        except TlsError as error:
            trust = f" ('ca_certs' is {self._options.ca_certs!r})" if self._options.ca_certs else ""
            text = f"no secure connection to {node.base_url}: {_text(error)}{trust}"
            self._failed(number, text)
            raise _NextNode(text) from error
        except Unreachable as error:
            text = f"no connection to {node.base_url}: {_text(error)}"
            self._failed(number, text)
            raise _NextNode(text, sent=not _never_sent(error)) from error
        except TransportError as error:
            raise UnknownOutcome(f"{node.base_url} answered nonsense: {_text(error)}") from error
        if meta.status in _ILL:
            self._failed(number, f"{node.base_url} answered {meta.status}")
        else:
            self._places.worked(number)
        return Reply(meta.status, meta.headers, content)

    def _failed(self, number: int, text: str) -> None:
        """Leave a node alone for a while; where others work only this line tells."""
        if self._places.failed(number):
            say(
                f"elasticsearch-node:{self._nodes[number].base_url}",
                f"{text}; records go to the other hosts, and it is asked again",
            )

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
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return isinstance(error.__cause__, (NewConnectionError, ConnectTimeoutError))


def _text(error: Exception) -> str:
    # The cause says more than the client's own text, which for TLS is "TLS error".
    return words_of(error.__cause__ or error)
