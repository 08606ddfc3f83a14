"""What a delivery thread tells of itself."""

from __future__ import annotations

from typing import Any

from otel_stdlib.facts.clock import wall
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.secrets import mask_secrets
from otel_stdlib.facts.suppressed import by_rule
from otel_stdlib.facts.threads import Lock

__all__ = ["Status"]


class Status:
    """Counts, the last error and the last success. Written by one thread, read by any."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.state = "idle"
        self._lock = Lock()
        self._last_error: tuple[str, float] | None = None
        self._last_success: float | None = None

    def error(self, error: BaseException) -> str:
        """Note an error; its text, without credentials."""
        text = mask_secrets(f"{type(error).__name__}: {error}")[:1000]
        with self._lock:
            self._last_error = (text, wall())
        return text

    def success(self) -> None:
        """Note that the destination took something."""
        self._last_success = wall()

    def snapshot(self) -> dict[str, Any]:
        """A copy for a report; times in seconds since 1970."""
        with self._lock:
            error = self._last_error
        counts = self.counters.snapshot()
        return {
            "state": self.state,
            "sent": counts.get("stored", 0) + counts.get("duplicate", 0),
            "duplicates": counts.get("duplicate", 0),
            "retried": counts.get("retried", 0),
            "rejected": counts.get("rejected", 0),
            "damaged": counts.get("damaged", 0),
            "evicted": counts.get("evicted", 0),
            "memory": counts.get("memory", 0),
            "suppressed": by_rule(
                {
                    name.removeprefix("suppressed:"): count
                    for name, count in counts.items()
                    if name.startswith("suppressed:")
                }
            ),
            "filtered": counts.get("filtered", 0),
            "filter_errors": counts.get("filter_errors", 0),
            "last_error": None if error is None else error[0],
            "last_error_time": None if error is None else error[1],
            "last_success_time": self._last_success,
        }
