"""A server that answers what a test says, where the real one cannot be brought to it; and a proxy."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

JSON = "application/vnd.elasticsearch+json;compatible-with=9"


class Said(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes


def said(status: int, body: object) -> Said:
    """One as Elasticsearch gives it."""
    return Said(status, JSON, orjson.dumps(body))


def page(status: int) -> Said:
    """One as a gateway gives it."""
    return Said(status, "text/html", b"<html>gateway</html>")


def count_of(body: bytes) -> int:
    """The documents of a bulk request."""
    return body.count(b"\n") // 2


class Script(ThreadingHTTPServer):
    """Asks ``answer(method, path, body)``."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, str, bytes], Said]) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.answer = answer

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args: object) -> None:
        pass

    log_error = log_request  # type: ignore[assignment]

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def reply(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("x-elastic-product", "Elasticsearch")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Scripted(_Quiet):
    server: Script

    def do_POST(self) -> None:
        self.reply(*self.server.answer(self.command, self.path, self.body()))

    do_GET = do_PUT = do_HEAD = do_POST


class ForwardProxy(ThreadingHTTPServer):
    """An HTTP proxy: it forwards requests with whole URLs and opens tunnels. It may ask for credentials."""

    daemon_threads = True

    def __init__(self, user: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Proxying)
        self.wanted = f"Basic {base64.b64encode(user.encode()).decode()}" if user else ""
        self.passed: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Proxying(_Quiet):
    server: ForwardProxy

    def _may_pass(self) -> bool:
        if self.server.wanted and self.headers.get("proxy-authorization") != self.server.wanted:
            self.body()
            self.reply(407, "text/html", b"<html>proxy</html>")
            return False
        self.server.passed.append(self.command)
        return True

    def do_POST(self) -> None:
        if not self._may_pass():
            return
        parts = urlsplit(self.path)
        link = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            link.request(self.command, path, self.body(), dict(self.headers))
            answer = link.getresponse()
            self.reply(answer.status, answer.getheader("content-type", ""), answer.read())
        finally:
            link.close()

    do_GET = do_PUT = do_HEAD = do_POST

    def do_CONNECT(self) -> None:
        if not self._may_pass():
            return
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as target:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: target, target: self.connection}
            while True:
                for ready in select.select(list(ends), [], [], 60)[0]:
                    piece = ready.recv(65_536)
                    if not piece:
                        self.close_connection = True
                        return
                    ends[ready].sendall(piece)


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let it run."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
