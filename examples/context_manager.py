"""A logger that closes itself: ``cd examples && python context_manager.py``."""

import asyncio

from otel_stdlib import configure_logger


async def main() -> None:
    """Everything that was logged is delivered when the block ends."""
    async with configure_logger(config_file="logger_config.yaml") as logger:
        await logger.ainfo("Application started")
        await asyncio.sleep(0.1)
        await logger.ainfo("Application finished")


asyncio.run(main())
