"""Logging from plain code and from coroutines: ``cd examples && python basic.py``."""

import asyncio

from otel_stdlib import alog_error, alog_info, configure_logger, log_error, log_info

logger = configure_logger(config_file="logger_config.yaml")

log_info("Application started", attributes={"user_id": "user123"})
log_error("Database connection failed", attributes={"error_code": "DB001"})


async def async_operations() -> None:
    """The same from a coroutine: nothing blocks the loop."""
    await alog_info("Async operation started", attributes={"operation_id": "op123"})
    await alog_error("Async error occurred", attributes={"error_code": "ASYNC001"})


asyncio.run(async_operations())

logger.close()
