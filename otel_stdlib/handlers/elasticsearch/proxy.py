"""Nodes of the official transport behind the proxy that the environment names: it knows none by itself."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.proxies import proxy_for

__all__ = ["node_class"]


def node_class() -> Any:
    """The transport's own kind of node, with the environment's proxy where there is one for its host."""
    import urllib3
    from elastic_transport import Urllib3HttpNode
    from urllib3.connection import ProxyConfig

    class Forwarding(urllib3.HTTPConnectionPool):
        """A proxy for plain HTTP: it gets whole URLs of another host."""

        def is_same_host(self, url: str) -> bool:
            return True

    class Node(Urllib3HttpNode):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            proxy = proxy_for(self.base_url, os.environ)
            if proxy is None:
                return
            headers = _headers(proxy)
            if config.scheme == "https":
                # What urllib3's own ProxyManager sets: the pool opens a tunnel.
                self.pool.proxy = urllib3.util.parse_url(proxy)
                self.pool.proxy_headers = headers
                self.pool.proxy_config = ProxyConfig(None, False, None, None)
                self.pool.conn_kw["proxy"] = self.pool.proxy
                self.pool.conn_kw["proxy_config"] = self.pool.proxy_config
                return
            parts = urlsplit(proxy)
            self.pool.close()
            self.pool = Forwarding(
                parts.hostname or "",
                port=parts.port or 80,
                timeout=urllib3.Timeout(total=config.request_timeout),
                maxsize=config.connections_per_node,
                block=True,
            )
            self._headers.update(headers)
            self._path_prefix = self.base_url

    return Node


def _headers(proxy: str) -> dict[str, str]:
    """The proxy's credentials as headers.

    Raises:
        RetryableError: it is of a kind that is not supported.
    """
    from urllib3.util import make_headers

    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise RetryableError(
            f"the proxy of the environment ({parts.scheme}://{parts.hostname or ''}) cannot be used for Elasticsearch: "
            "it must be an http:// URL. Exempt the server with NO_PROXY to reach it directly"
        )
    if parts.username is None:
        return {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(make_headers(proxy_basic_auth=user))
