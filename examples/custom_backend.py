"""A back end of your own: ``cd examples && python custom_backend.py``."""

import asyncio
from collections.abc import Mapping
from typing import Any

from otel_stdlib import LogBackendInterface, configure_logger, log_info, log_warning


class PrintingBackend(LogBackendInterface):
    """Prints warnings and worse. ``async`` or not is up to each method; none runs on the application's loop."""

    async def initialize(self, config: Mapping[str, Any]) -> None:
        """Connect to whatever it is."""
        await asyncio.sleep(0)
        self.prefix = config.get("prefix", "")

    async def write_log(self, log_entry: dict[str, Any]) -> None:
        """Store one record. An exception here means that it comes again."""
        if log_entry["severity_number"] >= 13:
            print(f"{self.prefix}{log_entry['severity_text']}: {log_entry['body']}")


# A class of an importable module can also stand in the YAML file: backend_type: package.module.Class
logger = configure_logger(
    service_name="custom",
    backends=[
        {"backend_type": f"{__name__}:PrintingBackend", "config": {"prefix": ">>> "}},
        {"backend_type": "filesystem"},
    ],
)

log_info("Not printed")
log_warning("Printed by the back end")

logger.close()
