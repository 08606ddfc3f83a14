"""urllib3's connections, made as ``handlers.addresses`` does, and without greenlets.

gevent and eventlet replace the sockets, the resolver, ``poll`` and TLS of a process by ones that wait in a hub.
On a delivery thread that would be a hub of its own, which eventlet cannot end with the process: it crashes.
"""

from __future__ import annotations

import re
import select
import socket
from typing import Any

from otel_stdlib.facts.native import original
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.threads import is_green
from otel_stdlib.handlers.addresses import Connector
from otel_stdlib.handlers.lifetime import ConnectionOptions, Lifetime, keepalive_options

__all__ = ["connecting", "words_of"]

#: Seconds for connecting where urllib3 has been given no limit.
_LIMIT = 10.0


def connecting(base: type[Any], connector: Connector, options: ConnectionOptions) -> type[Any]:
    """A subclass of one of urllib3's classes of connections, ``HTTPConnection`` or ``HTTPSConnection``.

    A pool opens one of them anew, before the next request, when its ``Lifetime`` is over.
    """
    from urllib3 import exceptions as errors

    keepalive = keepalive_options(options.tcp_keepalive)

    class Connecting(base):  # type: ignore[misc]
        _lifetime: Lifetime | None = None

        def _new_conn(self) -> socket.socket:
            limit = self.timeout if isinstance(self.timeout, (int, float)) else _LIMIT
            try:
                given = (*(self.socket_options or ()), *keepalive)
                opened = connector.connect(self._dns_host, self.port, limit, given)
            except socket.gaierror as error:
                raise errors.NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                text = f"connecting to {self.host} took longer than {limit:g} s"
                raise errors.ConnectTimeoutError(self, text) from error
            except OSError as error:
                raise errors.NewConnectionError(self, f"cannot connect: {error}") from error
            self._lifetime = options.lifetime()
            return opened

        def connect(self) -> None:
            if is_green() and hasattr(self, "ssl_context"):
                _wrap_in_memory(self)
            super().connect()

        def getresponse(self) -> Any:
            response = super().getresponse()
            if self._lifetime is not None:
                self._lifetime.use()
            return response

        @property
        def is_connected(self) -> bool:
            if self._lifetime is not None and self._lifetime.is_over:
                return False
            if self.sock is None or not is_green():
                return bool(super().is_connected)
            poll = original(select, "poll")()
            poll.register(self.sock.fileno(), 1)  # POLLIN: what comes between two requests ends a connection
            return not poll.poll(0)

    return Connecting


#: What urllib3 puts before its texts: the connection as an object.
_CONNECTION = re.compile(r"^\w+\(host=[^)]*\): ")


def words_of(error: BaseException) -> str:
    """What an error of a connection says, on one line, bounded and without secrets."""
    text = " ".join(_CONNECTION.sub("", str(error)).split())
    return mask_secrets(text)[:500] or type(error).__name__


def _wrap_in_memory(connection: Any) -> None:
    """Let the connection's TLS pass through memory: a patched ``wrap_socket`` makes a greenlet's socket."""
    from urllib3.util import ssl_
    from urllib3.util.ssltransport import SSLTransport

    context: Any = connection.ssl_context
    if context is None:
        context = ssl_.create_urllib3_context(
            ssl_version=ssl_.resolve_ssl_version(connection.ssl_version),
            ssl_minimum_version=connection.ssl_minimum_version,
            ssl_maximum_version=connection.ssl_maximum_version,
            cert_reqs=ssl_.resolve_cert_reqs(connection.cert_reqs),
        )
        if not (connection.ca_certs or connection.ca_cert_dir or connection.ca_cert_data):
            context.load_default_certs()
        connection.ssl_context = context

    def wrap(sock: socket.socket, server_hostname: str | None = None) -> SSLTransport:
        return SSLTransport(sock, context, server_hostname)

    context.wrap_socket = wrap
