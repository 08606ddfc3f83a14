"""A small HTTP/2 server on plain sockets: what proxies and web servers answer to gRPC calls, frame by frame."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tests.handlers.otlp.grpc_parts import bodies

__all__ = ["Proxy2", "Saying", "close", "page", "reset"]

_PREFACE = 24
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW = 0, 1, 3, 4, 6, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


class Saying(NamedTuple):
    """The frames after a request, each with its kind, flags and content; and whether the connection ends."""

    frames: tuple[tuple[int, int, bytes], ...] = ()
    closes: bool = False


def page(status: int) -> Saying:
    """A web page. Statuses and content types are literals of HPACK, by the numbers of their names."""
    head = b"\x08\x03" + str(status).encode() + b"\x0f\x10\x09text/html"
    return Saying(((_HEADERS, _END_HEADERS, head), (_DATA, _END_STREAM, b"<html>no</html>")))


def reset(code: int) -> Saying:
    """RST_STREAM."""
    return Saying(((_RESET, 0, code.to_bytes(4, "big")),))


def close() -> Saying:
    """The end of the connection."""
    return Saying(closes=True)


_TAKEN = Saying(
    (
        (_HEADERS, _END_HEADERS, b"\x88\x0f\x10\x10application/grpc"),
        (_DATA, 0, bytes(5)),
        (_HEADERS, _END_HEADERS | _END_STREAM, b"\x00\x0bgrpc-status\x010"),
    )
)


class Proxy2:
    """Answers calls as ``mood`` says by their records; None: it takes them, and ``taken`` counts them."""

    def __init__(self) -> None:
        self.mood: Callable[[list[str]], Saying | None] = lambda records: None
        self.taken: Counter[str] = Counter()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self._clients: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def stop(self) -> None:
        """End it and its connections."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as data:
                data.read(_PREFACE)
                _send(client, _SETTINGS, 0, 0)
                body = b""
                while len(head := data.read(9)) == 9:
                    size, kind, flags, stream = head[:3], head[3], head[4], int.from_bytes(head[5:], "big")
                    content = data.read(int.from_bytes(size, "big"))
                    if kind in (_SETTINGS, _PING) and not flags & _ACK:
                        _send(client, kind, _ACK, 0, content if kind == _PING else b"")
                    if kind != _DATA:
                        continue
                    body += content
                    for window in (0, stream) if content else ():
                        _send(client, _WINDOW, 0, window, len(content).to_bytes(4, "big"))
                    if flags & _END_STREAM:
                        saying, body = self._answer(body[5:]), b""
                        for each, marks, text in saying.frames:
                            _send(client, each, marks, stream, text)
                        if saying.closes:
                            return
        except OSError:
            pass  # the other side is gone, or the test is over

    def _answer(self, message: bytes) -> Saying:
        records = bodies(message)
        found = self.mood(records)
        if found is None and records:
            self.taken.update(records)
        return found or _TAKEN


def _send(client: socket.socket, kind: int, flags: int, stream: int, content: bytes = b"") -> None:
    size = len(content).to_bytes(3, "big")
    client.sendall(size + bytes((kind, flags)) + stream.to_bytes(4, "big") + content)
