"""Where OTLP/gRPC goes, and what it takes for metadata. Pure.

The specification's endpoint: a URL whose scheme says whether there is TLS, or whatever the gRPC client takes,
where ``insecure`` says so. A URL's path is not used: a gRPC method has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from otel_stdlib.facts.errors import ConfigError

__all__ = ["RETRYABLE_CODES", "STATUS_CODES", "Target", "check_metadata", "target_of"]

#: OTLP/gRPC: these, and RESOURCE_EXHAUSTED with a RetryInfo, ask for another try.
RETRYABLE_CODES = (
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNAVAILABLE",
    "DATA_LOSS",
)
STATUS_CODES = (
    *RETRYABLE_CODES,
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNIMPLEMENTED",
    "UNKNOWN",
)
_PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """An endpoint for gRPC."""

    #: As it is shown: no credentials.
    url: str
    #: As gRPC takes it.
    name: str
    secure: bool


def target_of(endpoint: object, insecure: bool) -> Target:
    """The target of an endpoint.

    Raises:
        ConfigError: it is none; its text, which may hold a password, is not shown.
    """
    wrong = ConfigError(
        "option 'endpoint' must be a URL such as http://localhost:4317, or host:port", option="endpoint"
    )
    text = endpoint.strip() if isinstance(endpoint, str) else ""
    if not text or "@" in text or any(mark.isspace() for mark in text):
        raise wrong  # credentials belong in 'headers'
    scheme, colon, _ = text.partition("://")
    if not colon or scheme not in _PORTS:
        if colon and scheme not in ("dns", "unix", "ipv4", "ipv6", "xds"):
            raise wrong
        if not colon and ":" not in text:
            raise wrong
        own = colon or text.startswith(("dns:", "unix:", "ipv4:", "ipv6:", "unix-abstract:"))
        url = text if own else f"{'http' if insecure else 'https'}://{text}"
        return Target(url, text, not insecure)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host:
        raise wrong
    place = f"[{host}]" if ":" in host else host
    shown = place if port is None else f"{place}:{port}"
    return Target(f"{scheme}://{shown}", f"{place}:{port or _PORTS[scheme]}", scheme == "https")


def check_metadata(headers: Mapping[str, str]) -> None:
    """See that headers can be metadata.

    Raises:
        ConfigError: one cannot; its value is not shown.
    """
    for name, value in headers.items():
        plain = name.replace("-", "").replace("_", "").replace(".", "")
        if not (plain.isalnum() and plain.isascii()) or name.startswith("grpc-") or name.endswith("-bin"):
            raise ConfigError(f"option 'headers': {name!r} is no metadata of gRPC's", option="headers")
        if not all(" " <= mark <= "~" for mark in value):
            raise ConfigError(
                f"option 'headers': the value of {name!r} must be printable ASCII for gRPC", option="headers"
            )
