"""Spans around blocks of coroutines, nested and concurrent: ``cd examples && python async_spans.py``."""

import asyncio

from otel_stdlib import alog_info, aotel_span, configure_logger

logger = configure_logger(config_file="logger_config.yaml")


async def load(part: int) -> None:
    """One part of the work, in a task of its own: its span lies under the one around it."""
    async with aotel_span("load_part", {"part": part}):
        await asyncio.sleep(0.01)
        await alog_info("Part loaded", part=part)


async def async_processing() -> None:
    """The whole."""
    async with aotel_span(
        "async_data_processing", attributes={"batch_size": 100}, correlation_id="req-003"
    ) as span:
        await alog_info("Processing async batch", batch_id="async_batch_001", size=100)
        await asyncio.gather(*[load(part) for part in range(3)])
        await alog_info("Async batch processing completed")
    print(f"Trace: {span.trace_id}")


asyncio.run(async_processing())

logger.close()
