"""How a destination is delivered to: batches, retries, the breaker. Checked where it is made."""

from __future__ import annotations

from dataclasses import dataclass, fields

from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_seconds, check_whole

__all__ = ["DeliveryPolicy", "RetryOptions"]


@dataclass(frozen=True)
class RetryOptions:
    """When a destination that fails is tried again. Every backend has these defaults. Times in seconds."""

    #: Failures in a row before one is reported on stderr. It never limits how long a record is retried.
    max_retries: int = 3
    #: The first pause after a failure; it doubles up to ``max_retry_delay``.
    retry_delay: float = 1.0
    max_retry_delay: float = 60.0
    #: Between health checks while the breaker is open.
    health_check_interval: float = 30.0
    #: Failures in a row that open the breaker.
    circuit_breaker_threshold: int = 5
    #: How long an open breaker keeps everything away from the destination.
    circuit_breaker_timeout: float = 60.0


@dataclass(frozen=True)
class DeliveryPolicy(RetryOptions):
    """Limits and times of delivery: when to retry, and how batches are cut. Times in seconds.

    Raises:
        ConfigError: a value is out of range; the message quotes the option.
    """

    #: Records in one batch at most.
    batch_records: int = 1000
    #: Bytes of payload in one batch, about.
    batch_bytes: int = 1 << 20
    #: How long a batch that is not full waits for more.
    batch_age: float = 0.0
    #: Send without lingering once this many records are waiting, even if the batch is not full.
    #: None: only a full batch is sent at once.
    linger_records: int | None = None
    #: How often a waiting thread looks for new records. A log call never wakes it.
    poll_interval: float = 0.05

    def __post_init__(self) -> None:
        for name in ("batch_records", "batch_bytes", "circuit_breaker_threshold"):
            check_whole(name, getattr(self, name), 1)
        if self.linger_records is not None:
            check_whole("linger_records", self.linger_records, 1)
        check_whole("max_retries", self.max_retries, 0)
        for name in ("batch_age", "retry_delay", "max_retry_delay"):
            check_seconds(name, getattr(self, name), 0)
        for name in ("circuit_breaker_timeout", "health_check_interval", "poll_interval"):
            check_seconds(name, getattr(self, name))
        if self.max_retry_delay < self.retry_delay:
            raise ConfigError(
                f"option 'max_retry_delay' ({self.max_retry_delay}) must not be below "
                f"'retry_delay' ({self.retry_delay})",
                option="max_retry_delay",
            )

    @property
    def enough(self) -> int:
        """How many records are sent without waiting for more."""
        return min(self.batch_records, self.linger_records or self.batch_records)

    @classmethod
    def of(cls, options: object, parts: int = 1) -> DeliveryPolicy:
        """The policy in a back end's options, which have the same names; a batch is ``parts`` of theirs.

        What fills one part does not wait for more.

        Raises:
            ConfigError: a value is out of range; the message quotes the option.
        """
        given = {
            item.name: getattr(options, item.name) for item in fields(cls) if hasattr(options, item.name)
        }
        if parts > 1:
            given["linger_records"] = given["batch_records"]
        for name in ("batch_records", "batch_bytes"):
            given[name] *= parts
        return cls(**given)
