"""ASGI and WSGI middleware, with real frameworks where they are installed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from otel_stdlib import attach, detach, parse_traceparent
from otel_stdlib.record.context import current_context
from otel_stdlib.tracing.middleware import ASGITraceMiddleware, WSGITraceMiddleware
from tests.tracing.support import Lines

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{SPAN}-01"
log = logging.getLogger("shop")


async def _send(message: Any) -> None:
    return None


async def _receive() -> Any:
    return {"type": "http.request"}


class TestASGI:
    def serve(self, app: Any, **scope: Any) -> None:
        """One request."""
        scope = {"type": "http", "method": "GET", "path": "/p", "headers": [], **scope}
        asyncio.run(ASGITraceMiddleware(app, events=True)(scope, _receive, _send))

    def test_a_request_runs_in_its_caller_s_trace(self, lines: Lines) -> None:
        """Its records and its span too; the status is on the span."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.gather(asyncio.sleep(0), asyncio.ensure_future(self.log()))
            await send({"type": "http.response.start", "status": 201})

        self.serve(app, headers=[(b"traceparent", HEADER.encode()), (b"x-correlation-id", b"req-1")])
        inside, end = lines.find("inside"), lines.find("span ended: GET /p")
        assert (TRACE, "req-1") == (inside["trace_id"], inside["attributes"]["correlation_id"])
        assert inside["span_id"] == end["span_id"]
        assert (SPAN, 201, "GET") == (
            end["attributes"]["span.parent_id"],
            end["attributes"]["http.response.status_code"],
            end["attributes"]["http.request.method"],
        )

    def test_a_websocket_runs_in_its_caller_s_trace(self, lines: Lines) -> None:
        """From the handshake, which is a GET, to its end."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            log.info("inside")
            await send({"type": "websocket.close"})

        scope = {"type": "websocket", "path": "/feed", "headers": [(b"traceparent", HEADER.encode())]}
        asyncio.run(ASGITraceMiddleware(app, events=True)(scope, _receive, _send))
        assert TRACE == lines.find("inside")["trace_id"]
        end = lines.find("span ended: GET /feed")["attributes"]
        assert ("GET", SPAN) == (end["http.request.method"], end["span.parent_id"])

    def test_other_scopes_pass(self, lines: Lines) -> None:
        """``lifespan`` is no request."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            log.info("inside")

        asyncio.run(ASGITraceMiddleware(app, events=True)({"type": "lifespan"}, _receive, _send))
        assert ["inside"] == lines.bodies

    async def log(self) -> None:
        """Log in a task of the request's."""
        log.info("inside")

    def test_without_a_header_each_request_has_a_trace_of_its_own(self, lines: Lines) -> None:
        """Never the server's."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            log.info("inside")

        self.serve(app)
        self.serve(app)
        assert 2 == len({line["trace_id"] for line in lines.lines})

    def test_a_failing_application(self, lines: Lines) -> None:
        """Its exception passes, and the span failed."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            self.serve(app)
        assert "error" == lines.find("span failed: GET /p")["attributes"]["span.status"]

    def test_what_the_server_logs_of_a_failure_has_the_trace(self, lines: Lines) -> None:
        """It is logged after the application has raised; a context around the request stays."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise RuntimeError("boom")

        async def server() -> None:
            scope = {"type": "http", "headers": [(b"traceparent", HEADER.encode())]}
            with pytest.raises(RuntimeError, match="boom"):
                await ASGITraceMiddleware(app)(scope, _receive, _send)
            log.error("exception in the application")

        asyncio.run(server())
        assert TRACE == lines.find("exception in the application")["trace_id"]
        around = attach(parse_traceparent(f"00-{'1' * 32}-{'2' * 16}-01"))
        try:
            asyncio.run(server())
            assert "1" * 32 == lines.lines[-1]["trace_id"]
        finally:
            detach(around)

    def test_other_kinds_of_scope_pass(self) -> None:
        """A lifespan is no request."""
        seen = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope["type"], current_context()))

        self.serve(app, type="lifespan")
        assert [("lifespan", None)] == seen

    def test_fastapi(self, lines: Lines) -> None:
        """Asynchronous and synchronous endpoints, which FastAPI runs on threads."""
        fastapi = pytest.importorskip("fastapi")
        httpx = pytest.importorskip("httpx")
        app = fastapi.FastAPI()
        app.add_middleware(ASGITraceMiddleware)

        @app.get("/a")
        async def a() -> None:
            log.info("in a")

        @app.get("/b")
        def b() -> None:
            log.info("in b")

        async def main() -> None:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                for path in ("/a", "/b"):
                    assert 200 == (await client.get(path, headers={"traceparent": HEADER})).status_code

        asyncio.run(main())
        assert TRACE == lines.find("in a")["trace_id"] == lines.find("in b")["trace_id"]


class TestWSGI:
    def request(self, app: Any, **environ: Any) -> list[bytes]:
        """One request, as a server makes it."""
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/p", **environ}
        body = WSGITraceMiddleware(app, events=True)(environ, lambda status, headers, exc_info=None: None)
        try:
            return list(body)
        finally:
            body.close()  # type: ignore[attr-defined]

    def test_the_context_holds_while_the_body_is_made(self, lines: Lines) -> None:
        """A generator's parts are produced after the application returned."""

        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            log.info("before")
            yield b"x"
            log.info("between")
            yield b"y"

        assert [b"x", b"y"] == self.request(app, HTTP_TRACEPARENT=HEADER, HTTP_X_CORRELATION_ID="req-1")
        assert None is current_context()
        for body in ("before", "between"):
            line = lines.find(body)
            assert (TRACE, "req-1") == (line["trace_id"], line["attributes"]["correlation_id"])
        assert 200 == lines.find("span ended: GET /p")["attributes"]["http.response.status_code"]

    def test_failures(self, lines: Lines) -> None:
        """Before the body and inside it; each ends its span once."""

        def at_once(environ: Any, start_response: Any) -> list[bytes]:
            raise ValueError("broken")

        def later(environ: Any, start_response: Any) -> Iterator[bytes]:
            yield b"x"
            raise ValueError("broken")

        for app in (at_once, later):
            with pytest.raises(ValueError, match="broken"):
                self.request(app)
        assert 2 == lines.bodies.count("span failed: GET /p")
        assert 4 == len(lines.lines)

    def test_flask(self, lines: Lines) -> None:
        """Through its own test client."""
        flask = pytest.importorskip("flask")
        app = flask.Flask("shop")
        app.wsgi_app = WSGITraceMiddleware(app.wsgi_app)

        @app.get("/a")
        def a() -> str:
            log.info("in a")
            return "x"

        assert b"x" == app.test_client().get("/a", headers={"traceparent": HEADER}).data
        assert TRACE == lines.find("in a")["trace_id"]
