"""What lies between us and a Collector: silent addresses, renewed certificates, paths that cut large requests."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from otel_stdlib.handlers import OTLPHandler
from otel_stdlib.handlers.addresses import Connector
from tests.handlers.otlp.parts import QUICK
from tests.handlers.otlp.test_faults import arrived
from tests.servers.collector import OtelCollector
from tests.servers.tls import RenewedAuthority
from tests.support import eventually

NAME = "collector.test"
SILENT = "127.0.0.9"


@pytest.fixture
def silent_first(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """``silent_first(port)``: a name whose first address accepts nothing, and whose second one is this host's."""
    with ExitStack() as stack:

        def arrange(port: int) -> None:
            # A queue of connections that is full: further ones get no answer at all.
            deaf = stack.enter_context(socket.socket())
            deaf.bind((SILENT, port))
            deaf.listen(0)
            for _ in range(8):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                assert waiting.connect_ex((SILENT, port)) in (0, errno.EINPROGRESS)
            monkeypatch.setattr(socket, "getaddrinfo", resolve)

        def resolve(host: str, port: int, *given: Any, **more: Any) -> Any:
            if host != NAME:
                return real(host, port, *given, **more)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in (SILENT, "127.0.0.1")
            ]

        real = socket.getaddrinfo
        yield arrange


def test_the_first_address_is_silent(
    silent_first: Callable[[int], None], otel_collector: OtelCollector, tmp_path: Path
) -> None:
    """Every record arrives once: connecting does not use up the time for the answer."""
    silent_first(otel_collector.http_port)
    handler = OTLPHandler(
        endpoint=f"http://{NAME}:{otel_collector.http_port}",
        spool={"directory": str(tmp_path / "spool")},
        **{**QUICK, "timeout": 2.0},
    )
    logger = logging.Logger("otlp-addresses", logging.INFO)
    logger.addHandler(handler)
    run = f"silent-{tmp_path.name}"
    try:
        for number in range(100):
            logger.info("%s %d", run, number)
        assert handler.flush(60)
        assert "unknown" not in handler.health()["counts"]
    finally:
        handler.stop(10)
    eventually(lambda: len(arrived(otel_collector, run)) >= 100, 30, 0.1)
    assert {f"{run} {number}": 1 for number in range(100)} == Counter(
        b for b, _ in arrived(otel_collector, run)
    )


def test_the_address_that_worked_comes_first(silent_first: Callable[[int], None]) -> None:
    """Only the first connection waits for the silent one, and none has more than its share of the limit."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        silent_first(port)
        connector = Connector()
        tried: list[str] = []
        connect = socket.socket.connect

        class Noting(socket.socket):
            def connect(self, address: Any) -> None:
                tried.append(address[0])
                connect(self, address)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "socket", Noting)
            connector.connect(NAME, port, 0.6).close()
            assert [SILENT, "127.0.0.1"] == tried
            tried.clear()
            connector.connect(NAME, port, 0.6).close()
            assert ["127.0.0.1"] == tried


def test_when_no_address_answers(silent_first: Callable[[int], None]) -> None:
    """The error of the last one; a name without addresses keeps the resolver's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    silent_first(port)
    with pytest.raises(ConnectionRefusedError):
        Connector().connect(NAME, port, 0.5)
    with pytest.raises(socket.gaierror):
        Connector().connect("no-such-host.invalid", port, 0.5)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_renewed_authority_is_read_again(
    otel_collector_node: Callable[..., OtelCollector],
    renewed_authority: RenewedAuthority,
    tmp_path: Path,
    protocol: str,
) -> None:
    """The Collector's certificate and the mounted file of authorities change while we run."""
    node = otel_collector_node(authority=renewed_authority.first)
    endpoint = node.grpc_endpoint if protocol == "grpc" else node.endpoint
    handler = OTLPHandler(
        endpoint=endpoint.replace("127.0.0.1", "localhost"),
        protocol=protocol,
        certificate=str(renewed_authority.trusted),
        spool={"directory": str(tmp_path / "spool")},
        **QUICK,
    )
    logger = logging.Logger("otlp-renewed", logging.INFO)
    logger.addHandler(handler)
    try:
        logger.info("renewed 0")
        assert handler.flush(60)
        renewed_authority.renew(node)
        logger.info("renewed 1")
        assert handler.flush(60)
    finally:
        handler.stop(10)
    eventually(lambda: {"renewed 0", "renewed 1"} == {body for body, _ in arrived(node, "renewed ")}, 30, 0.1)


class _Cutting:
    """Passes small requests on to a server and resets the connection of a large one, without a word."""

    def __init__(self, port: int, most: int) -> None:
        self._target, self._most = port, most
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._target)) as server:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += client.recv(65_536)
                head = data.partition(b"\r\n\r\n")[0].lower()
                length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                if length > self._most:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    continue
                while len(data) < len(head) + 4 + length:
                    data += client.recv(65_536)
                server.sendall(data)
                client.sendall(server.recv(65_536))

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def test_a_path_that_cuts_large_requests_gets_smaller_ones(
    otel_collector: OtelCollector, tmp_path: Path
) -> None:
    """No answer says why; halving finds the size that passes, and no record is given up."""
    path = _Cutting(otel_collector.http_port, 100_000)
    handler = OTLPHandler(
        endpoint=f"http://127.0.0.1:{path.port}",
        max_workers=1,
        spool={"directory": str(tmp_path / "spool")},
        **{**QUICK, "batch_age": 1.0},
    )
    logger = logging.Logger("otlp-cut", logging.INFO)
    logger.addHandler(handler)
    run = f"cut-{tmp_path.name}"
    try:
        for number in range(500):
            logger.info("%s %d", run, number, extra={"filling": "x" * 1_000})
        assert handler.flush(60)
        assert handler.health()["counts"]["unknown"] > 0, "a request was cut"
    finally:
        handler.stop(10)
        path.close()
    wanted = {f"{run} {number}": 1 for number in range(500)}
    eventually(lambda: wanted == Counter(body for body, _ in arrived(otel_collector, run)), 30, 0.1)
