"""An asynchronous price service: ``cd examples && python price_service.py``, or ``uvicorn price_service:app``.

Needs ``pip install fastapi uvicorn``. Then::

    curl 'http://localhost:8000/price/100?discount=0.15'
    curl 'http://localhost:8000/health'
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, FastAPI, Request, Response

from otel_stdlib import (
    ASGITraceMiddleware,
    alog_info,
    aotel_span,
    configure_logger,
    generate_correlation_id,
)

logger = configure_logger(config_file="logger_config.yaml")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Deliver what is left when the server stops."""
    yield
    await logger.aclose()


app = FastAPI(title="Async Price Calculator API", lifespan=lifespan)


@app.middleware("http")
async def logging_middleware(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Give each request a correlation id, and note it."""
    correlation_id = request.headers.get("x-correlation-id") or generate_correlation_id()
    request.state.correlation_id = correlation_id
    await alog_info(
        "Request received",
        attributes={
            "method": request.method,
            "url": str(request.url),
            "client_ip": request.client.host if request.client else None,
        },
        correlation_id=correlation_id,
    )
    return await call_next(request)


# The one added last is the outermost: a caller's ``traceparent`` holds for all of the above.
app.add_middleware(ASGITraceMiddleware)


@app.get("/price/{base_price}")
async def calculate_price(
    base_price: float, request: Request, background_tasks: BackgroundTasks, discount: float = 0.0
) -> dict[str, Any]:
    """The discounted price."""
    correlation_id = request.state.correlation_id
    async with aotel_span("calculate_price_endpoint", correlation_id=correlation_id):
        await alog_info("Calculating price", attributes={"base_price": base_price, "discount": discount})
        await asyncio.sleep(0.01)
        result = base_price * (1 - discount)
        background_tasks.add_task(
            alog_info,
            "Price calculation completed",
            attributes={"result": result},
            correlation_id=correlation_id,
        )
        return {"price": result, "correlation_id": correlation_id}


@app.get("/health")
async def health_check() -> dict[str, Any]:
    """How the back ends are. It asks nobody, so it cannot hang."""
    await alog_info("Health check requested")
    health = logger.get_health_status()
    return {"status": health["status"], "backends": health["backends"]}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8000")))
