"""``@otel_trace`` and ``@otel_log`` for functions, coroutines, generators and async generators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, TypeVar, overload

from otel_stdlib.facts.levels import level_number
from otel_stdlib.tracing.events import where_of_function
from otel_stdlib.tracing.work import Call, Span, Work

__all__ = ["otel_log", "otel_trace"]

_F = TypeVar("_F", bound=Callable[..., Any])
_Maker = Callable[[], Work]


@overload
def otel_trace(operation_name: _F, /) -> _F: ...
@overload
def otel_trace(
    operation_name: str | None = None,
    correlation_id: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    level: int | str = "INFO",
    events: bool = True,
) -> Callable[[_F], _F]: ...
def otel_trace(
    operation_name: Any = None,
    correlation_id: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    level: int | str = "INFO",
    events: bool = True,
) -> Any:
    """Each call is a span: ``@otel_trace`` or ``@otel_trace(operation_name="price")``.

    A coroutine's span lasts until it is done, a generator's from its first item until it is
    exhausted or closed; between two items the consumer's own context holds. Results and
    exceptions pass through as they are.

    Args:
        operation_name: the span's name; the function's qualified name when left out.
        correlation_id: for every record inside; the one around it when left out.
        attributes: shown at its start and its end.
        level: of the two log records, where no OpenTelemetry SDK takes the span.
        events: log its start and its end.
    """
    number = level_number(level)

    def decorate(function: Any) -> Any:
        name = operation_name if isinstance(operation_name, str) else _name(function)
        where = where_of_function(inspect.unwrap(function))
        return _wrap(
            function, lambda: Span(name, attributes, correlation_id, where, level=number, events=events)
        )

    return _apply(operation_name, decorate)


@overload
def otel_log(operation_name: _F, /) -> _F: ...
@overload
def otel_log(
    operation_name: str | None = None,
    correlation_id: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    level: int | str = "INFO",
) -> Callable[[_F], _F]: ...
def otel_log(
    operation_name: Any = None,
    correlation_id: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    level: int | str = "INFO",
) -> Any:
    """Each call is logged when it ends, with duration and status, and at DEBUG when it starts; no span.

    Arguments as for ``otel_trace``. A call that raises is logged at ERROR with its exception.
    """
    number = level_number(level)

    def decorate(function: Any) -> Any:
        name = operation_name if isinstance(operation_name, str) else _name(function)
        where = where_of_function(inspect.unwrap(function))
        return _wrap(function, lambda: Call(name, attributes, correlation_id, where, level=number))

    return _apply(operation_name, decorate)


def _apply(first: Any, decorate: Callable[[Any], Any]) -> Any:
    if first is None or isinstance(first, str):
        return decorate
    if isinstance(first, (staticmethod, classmethod)):
        return type(first)(decorate(first.__func__))
    return decorate(first)


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _wrap(function: Any, make: _Maker) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(_wrap(function.__func__, make))
    if inspect.isasyncgenfunction(function):
        return _wrap_async_generator(function, make)
    if inspect.iscoroutinefunction(function):
        return _wrap_coroutine(function, make)
    if inspect.isgeneratorfunction(function):
        return _wrap_generator(function, make)
    return _wrap_function(function, make)


def _wrap_function(function: Callable[..., Any], make: _Maker) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        work = make()
        work.start()
        token = work.enter()
        try:
            result = function(*args, **kwargs)
            work.end()
        except BaseException as error:
            work.end(error)
            raise
        finally:
            work.leave(token)
        return result

    return call


def _wrap_coroutine(function: Callable[..., Any], make: _Maker) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        work = make()
        work.start()
        token = work.enter()
        try:
            result = await function(*args, **kwargs)
            work.end()
        except BaseException as error:
            work.end(error)
            raise
        finally:
            work.leave(token)
        return result

    return call


def _wrap_generator(function: Callable[..., Any], make: _Maker) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        work = make()
        work.start()
        step: Callable[[], Any] = functools.partial(next, generator)
        while True:
            token = work.enter()
            try:
                item = step()
            except StopIteration as stop:
                work.end()
                return stop.value
            except BaseException as error:
                work.end(error)
                raise
            finally:
                work.leave(token)
            try:
                sent = yield item
            except GeneratorExit as error:
                _close(generator, work, error)
                raise
            except BaseException as error:
                step = functools.partial(generator.throw, error)
            else:
                step = functools.partial(generator.send, sent)

    return call


def _close(generator: Generator[Any, Any, Any], work: Work, reason: GeneratorExit) -> None:
    token = work.enter()
    try:
        generator.close()
        work.end(reason)
    except BaseException as error:
        work.end(error)
        raise
    finally:
        work.leave(token)


def _wrap_async_generator(function: Callable[..., Any], make: _Maker) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        work = make()
        work.start()
        step: Callable[[], Any] = generator.__anext__
        while True:
            token = work.enter()
            try:
                item = await step()
            except StopAsyncIteration:
                work.end()
                return
            except BaseException as error:
                work.end(error)
                raise
            finally:
                work.leave(token)
            try:
                sent = yield item
            except GeneratorExit as error:
                await _aclose(generator, work, error)
                raise
            except BaseException as error:
                step = functools.partial(generator.athrow, error)
            else:
                step = functools.partial(generator.asend, sent)

    return call


async def _aclose(generator: AsyncGenerator[Any, Any], work: Work, reason: GeneratorExit) -> None:
    token = work.enter()
    try:
        await generator.aclose()
        work.end(reason)
    except BaseException as error:
        work.end(error)
        raise
    finally:
        work.leave(token)
