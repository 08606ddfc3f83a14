"""urllib3's connection pools over connections that are made as ``handlers.connections`` does."""

from __future__ import annotations

from typing import Any

from otel_stdlib.handlers.addresses import Connector
from otel_stdlib.handlers.connections import connecting
from otel_stdlib.handlers.lifetime import ConnectionOptions

__all__ = ["pool_classes"]


def pool_classes(options: ConnectionOptions) -> dict[str, Any]:
    """The pools by scheme, for a ``PoolManager``; what worked is remembered among them."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    connector = Connector()

    class Pool(HTTPConnectionPool):
        ConnectionCls = connecting(HTTPConnection, connector, options)

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = connecting(HTTPSConnection, connector, options)

    return {"http": Pool, "https": SecurePool}
