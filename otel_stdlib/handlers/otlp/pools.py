"""urllib3's connection pools over connections that are made as ``handlers.addresses`` does."""

from __future__ import annotations

import socket
from typing import Any

from otel_stdlib.handlers.addresses import Connector

__all__ = ["pool_classes"]


def pool_classes() -> dict[str, Any]:
    """The pools by scheme, for a ``PoolManager``; what worked is remembered among them."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3 import exceptions as errors
    from urllib3.connection import HTTPConnection, HTTPSConnection

    connector = Connector()

    class Connecting(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            limit = self.timeout if isinstance(self.timeout, (int, float)) else 10.0
            try:
                return connector.connect(self._dns_host, self.port, limit, self.socket_options or ())
            except socket.gaierror as error:
                raise errors.NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                text = f"connecting to {self.host} took longer than {limit:g} s"
                raise errors.ConnectTimeoutError(self, text) from error
            except OSError as error:
                raise errors.NewConnectionError(self, f"cannot connect: {error}") from error

    class ConnectingSecurely(Connecting, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connecting

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = ConnectingSecurely

    return {"http": Pool, "https": SecurePool}
