"""Many coroutines that log at once: ``cd examples && python batch.py``."""

import asyncio
from typing import Any

from otel_stdlib import alog_info, configure_logger


async def process_batch(batch_items: list[dict[str, Any]]) -> None:
    """Process items concurrently."""
    logger = configure_logger(config_file="logger_config.yaml", enable_console=False)

    async def process_item(item: dict[str, Any]) -> None:
        await alog_info("Processing item", item_id=item["id"])
        await asyncio.sleep(0.01)
        await alog_info("Item processed", item_id=item["id"], status="completed")

    await asyncio.gather(*[process_item(item) for item in batch_items])
    await logger.aflush()
    sent = logger.get_health_status()["backends"]["filesystem"]["sent"]
    await logger.aclose()
    print(f"{sent} records written")


batch = [{"id": f"item_{i}"} for i in range(100)]
asyncio.run(process_batch(batch))
