"""OpenTelemetry's own variables for an OTLP exporter of logs. Pure: the environment is passed in.

``OTEL_EXPORTER_OTLP_LOGS_X`` wins over ``OTEL_EXPORTER_OTLP_X``; an empty variable counts as unset
(OpenTelemetry Protocol Exporter specification; Environment Variable specification).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.handlers.otlp.target import target_of

__all__ = ["LOGS_PATH", "options_from", "parse_headers", "protocol_from"]

LOGS_PATH = "/v1/logs"
_GENERAL = "OTEL_EXPORTER_OTLP_"
_LOGS = "OTEL_EXPORTER_OTLP_LOGS_"
#: From here on a timeout is milliseconds: nobody lets an export take a quarter of an hour.
_MILLISECONDS_FROM = 1_000.0


def protocol_from(environ: Mapping[str, str]) -> str:
    """The protocol that the environment sets, empty where it sets none."""
    return environ.get(_LOGS + "PROTOCOL", "").strip() or environ.get(_GENERAL + "PROTOCOL", "").strip()


def options_from(environ: Mapping[str, str], *, grpc: bool = False) -> dict[str, Any]:
    """The options that the environment sets, as ``OTLPOptions`` takes them; ``grpc``: for that protocol.

    Raises:
        ConfigError: a variable is wrong; the message names it and never shows a header's value.
    """
    found: dict[str, Any] = {}
    for suffix, option, parse in _GRPC_VARIABLES if grpc else _VARIABLES:
        for prefix in (_LOGS, _GENERAL):
            text = environ.get(prefix + suffix, "").strip()
            if text:
                found[option] = parse(text, prefix + suffix)
                break
    return found


def parse_headers(text: str, variable: str) -> dict[str, str]:
    """``name=value,name=value`` with values percent-encoded, as W3C Baggage has it.

    An entry that is none is left out, and said so without its text, which may be a secret.
    """
    headers: dict[str, str] = {}
    for number, entry in enumerate(text.split(","), 1):
        if not entry.strip():
            continue
        name, equals, value = entry.partition("=")
        name = unquote(name.strip()).lower()
        if not equals or not name:
            say(f"otlp-headers:{variable}", f"{variable}: entry {number} is no name=value and is ignored")
            continue
        headers[name] = unquote(value.strip())
    return headers


def _text(text: str, _variable: str) -> str:
    return text


def _endpoint(text: str, variable: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # It may hold a password: it is not shown.
        raise ConfigError(f"{variable} must be a URL such as http://localhost:4318", option="endpoint")
    if variable.startswith(_LOGS):
        # Used as it stands; without a path that is the root.
        return text if parts.path else parts._replace(path="/").geturl()
    return parts._replace(path=parts.path.rstrip("/") + LOGS_PATH).geturl()


def _target(text: str, variable: str) -> str:
    try:
        target_of(text, insecure=False)
    except ConfigError:
        raise ConfigError(
            f"{variable} must be a URL such as http://localhost:4317, or host:port", option="endpoint"
        ) from None
    return text


def _truth(text: str, _variable: str) -> bool:
    # The specification: anything but "true" is false.
    return text.lower() == "true"


def _timeout(text: str, variable: str) -> float:
    """Seconds, as OpenTelemetry's Python SDK reads it; what can only be milliseconds is taken for them.

    The specification has milliseconds, the Python SDK seconds, and both stand in deployments.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise ConfigError(f"{variable} must be a number above 0, not {text!r}", option="timeout")
    return number / 1_000 if number >= _MILLISECONDS_FROM else number


_VARIABLES: tuple[tuple[str, str, Callable[[str, str], Any]], ...] = (
    ("ENDPOINT", "endpoint", _endpoint),
    ("PROTOCOL", "protocol", _text),
    ("HEADERS", "headers", parse_headers),
    ("TIMEOUT", "timeout", _timeout),
    ("COMPRESSION", "compression", _text),
    ("CERTIFICATE", "certificate", _text),
    ("CLIENT_CERTIFICATE", "client_certificate", _text),
    ("CLIENT_KEY", "client_key", _text),
)
_GRPC_VARIABLES = (("ENDPOINT", "endpoint", _target), ("INSECURE", "insecure", _truth), *_VARIABLES[1:])
