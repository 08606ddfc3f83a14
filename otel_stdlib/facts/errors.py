"""Every exception this package raises, by what the caller can do about it.

    OTelStdlibError
    ├── ConfigError            the configuration is wrong; the message quotes the option
    │   └── MissingExtraError  a driver is not installed; the message has the pip line
    ├── StateError             the object is not in a state that allows the call
    ├── SpoolError             the spool cannot be used
    │   ├── SpoolUnavailable   no directory that can be trusted and written
    │   └── SpoolFull          the cap is reached and the policy says to tell the caller
    └── DeliveryError          a destination did not take a batch
        ├── RetryableError     try again; the outcome may be unknown
        │   └── ThrottledError the server asked for a pause: ``retry_after`` seconds
        └── PermanentError     these records can never be stored by this destination

A log call raises none of them, except with ``durability: record``.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DeliveryError",
    "MissingExtraError",
    "OTelStdlibError",
    "PermanentError",
    "RetryableError",
    "SpoolError",
    "SpoolFull",
    "SpoolUnavailable",
    "StateError",
    "ThrottledError",
]


class OTelStdlibError(Exception):
    """The root of this package's exceptions."""


class ConfigError(OTelStdlibError, ValueError):
    """A wrong option. ``option`` is its name, so that callers can point at its place."""

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class MissingExtraError(ConfigError):
    """A back end's driver is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra {extra!r}: pip install 'otel_stdlib[{extra}]'",
            option=extra,
        )
        self.extra = extra


class StateError(OTelStdlibError, RuntimeError):
    """The call does not fit the object's state; the message names both."""


class SpoolError(OTelStdlibError):
    """The spool cannot be used."""


class SpoolUnavailable(SpoolError):
    """There is no directory that can be trusted and written."""


class SpoolFull(SpoolError):
    """The spool's cap is reached."""


class DeliveryError(OTelStdlibError):
    """A destination did not take a batch."""


class RetryableError(DeliveryError):
    """Nothing is known to be stored; sending the same batch again is safe and may succeed."""


class ThrottledError(RetryableError):
    """The server asked for a pause of ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(DeliveryError):
    """The batch as it is can never be stored by this destination."""
