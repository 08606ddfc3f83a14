"""ASGI and WSGI middleware: each request runs in the trace that its caller sent, or in a new one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from otel_stdlib.facts.levels import level_number
from otel_stdlib.record.context import attach, current_context, detach
from otel_stdlib.tracing.events import Where
from otel_stdlib.tracing.headers import extract_headers
from otel_stdlib.tracing.lifespan import deliver_at_shutdown
from otel_stdlib.tracing.work import Span

__all__ = ["ASGITraceMiddleware", "WSGITraceMiddleware"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_WHERE = Where("otel_stdlib.request", "(unknown file)", 0, "(unknown function)")


class _Spans:
    """Makes the span of a request, under what its caller sent."""

    def __init__(self, level: int | str, events: bool) -> None:
        self._level = level_number(level)
        self._events = events

    def make(self, name: str, attributes: dict[str, Any]) -> Span:
        return Span(name, attributes, None, _WHERE, level=self._level, events=self._events, kind="SERVER")


class ASGITraceMiddleware:
    """Pure ASGI, for FastAPI, Starlette, Django and others: ``app.add_middleware(ASGITraceMiddleware)``.

    ``traceparent``, ``tracestate`` and ``x-correlation-id`` (or ``x-request-id``) of an HTTP request
    or a WebSocket become the context of everything that it does, tasks included. When the
    application raises, the context stays for the rest of the task, unless there was one around
    it: servers log such an error only after the application has returned to them.

    When the application shuts down, what it has logged is delivered before the server learns that it is done
    (up to ``shutdown_timeout``; a destination that is down is not waited for).

    Args:
        app: the application.
        events: also log the span's start and end, on the logger ``otel_stdlib.request``.
        level: of these two records.
    """

    def __init__(
        self, app: Callable[..., Awaitable[Any]], *, events: bool = False, level: int | str = "INFO"
    ) -> None:
        self.app = app
        self._spans = _Spans(level, events)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one connection."""
        if scope.get("type") == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope.get("type") not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        method = scope.get("method", "GET")  # a WebSocket begins as one
        outer = attach(extract_headers(scope.get("headers") or ()))
        try:
            span = self._spans.make(
                f"{method} {scope.get('path', '')}",
                {"http.request.method": method, "url.path": scope.get("path", "")},
            )
            span.start()
        finally:
            detach(outer)

        async def noting_status(message: _Message) -> None:
            if message.get("type") == "http.response.start":
                span.set_attribute("http.response.status_code", message.get("status"))
            await send(message)

        token, failed = span.enter(), False
        try:
            await self.app(scope, receive, noting_status)
            span.end()
        except BaseException as error:
            failed = isinstance(error, Exception)
            span.end(error)
            raise
        finally:
            span.leave(token)
            if failed and current_context() is None:
                # What the server logs of the failure, in the request's own task, is the request's.
                attach(span.context)

    async def _live(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass the application's start and end on; at the end, deliver what waits first."""

        async def delivering(message: _Message) -> None:
            if str(message.get("type")).startswith("lifespan.shutdown."):
                await deliver_at_shutdown()
            await send(message)

        await self.app(scope, receive, delivering)


class WSGITraceMiddleware:
    """For Flask, Django and others: ``app.wsgi_app = WSGITraceMiddleware(app.wsgi_app)``.

    As ``ASGITraceMiddleware``; the context also holds while the response's body is produced.
    """

    def __init__(
        self, app: Callable[..., Iterable[bytes]], *, events: bool = False, level: int | str = "INFO"
    ) -> None:
        self.app = app
        self._spans = _Spans(level, events)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        headers = {
            key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")
        outer = attach(extract_headers(headers))
        try:
            span = self._spans.make(f"{method} {path}", {"http.request.method": method, "url.path": path})
            span.start()
        finally:
            detach(outer)

        def noting_status(status: str, *args: Any, **kwargs: Any) -> Any:
            code = status.split(" ", 1)[0]
            span.set_attribute("http.response.status_code", int(code) if code.isdecimal() else code)
            return start_response(status, *args, **kwargs)

        token = span.enter()
        try:
            return _Body(self.app(environ, noting_status), span)
        except BaseException as error:
            span.end(error)
            raise
        finally:
            span.leave(token)


class _Body:
    """A response's body, each part of it produced in the request's context."""

    def __init__(self, parts: Iterable[bytes], span: Span) -> None:
        self._parts = parts
        self._iterator: Iterator[bytes] | None = None
        self._span = span

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = self._span.enter()
        try:
            if self._iterator is None:
                self._iterator = iter(self._parts)
            return next(self._iterator)
        except StopIteration:
            raise
        except BaseException as error:
            self._span.end(error)
            raise
        finally:
            self._span.leave(token)

    def __len__(self) -> int:
        return len(self._parts)  # type: ignore[arg-type]

    def close(self) -> None:
        """End the request: the server calls it, whatever happened."""
        token = self._span.enter()
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()
            self._span.end()
        except BaseException as error:
            self._span.end(error)
            raise
        finally:
            self._span.leave(token)
