"""What the facade's tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Records = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]

FILE = """
logger:
  service_name: shop
  log_level: DEBUG
  backends:
    - backend_type: filesystem
      config:
        log_file: $OUT/shop.jsonl
"""


def bodies(records: list[dict[str, Any]]) -> list[Any]:
    """The bodies of records."""
    return [record["body"] for record in records]
