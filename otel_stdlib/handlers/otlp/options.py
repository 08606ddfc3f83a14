"""The options of the OTLP back end, checked where they are given."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_flag, check_names, check_seconds, check_whole
from otel_stdlib.handlers.lifetime import ConnectionOptions
from otel_stdlib.handlers.otlp.environment import LOGS_PATH, options_from, protocol_from
from otel_stdlib.handlers.otlp.target import RETRYABLE_CODES, STATUS_CODES, check_metadata, target_of
from otel_stdlib.handlers.renewal import Renewable, make_renewable

__all__ = ["COMPRESSIONS", "GRPC", "PROTOCOLS", "OTLPOptions"]

GRPC = "grpc"
PROTOCOLS = ("http/protobuf", "http/json", GRPC)
COMPRESSIONS = ("none", "gzip", "deflate")
#: OTLP/HTTP: these answers, and no others, ask for another try.
RETRYABLE = (429, 502, 503, 504)
_COUNTS = {
    "max_workers": (1, 100),
    "batch_records": (1, 100_000),
    "batch_bytes": (1, 64 << 20),
    # "Clients SHOULD limit the size of a request to 64 MiB before compression" is OTLP's recommendation.
    "max_request_bytes": (1, 64 << 20),
}
_FILES = ("certificate", "client_certificate", "client_key")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
#: Set by this package; another value would contradict the body.
_OWN_HEADERS = ("content-type", "content-encoding", "content-length", "host", "transfer-encoding")


@dataclass(frozen=True)
class OTLPOptions(ConnectionOptions, Renewable):
    """Where records are sent and how. Times in seconds, sizes in bytes.

    ``of`` fills what is not given from OpenTelemetry's variables; the constructor does not.

    Raises:
        ConfigError: a value is wrong; the message quotes the option and never a secret.
    """

    #: The URL. Without a path ``/v1/logs`` is added. Credentials in it become a header. With gRPC also
    #: ``host:port``, and a path is not used. None: port 4318 of this host, 4317 with gRPC.
    endpoint: str | None = None
    #: ``http/protobuf``, ``http/json`` or ``grpc``.
    protocol: str = "http/protobuf"
    #: Whether gRPC goes without TLS where the endpoint has no scheme.
    insecure: bool = False
    #: Sent with each request: a mapping, or text as in ``OTEL_EXPORTER_OTLP_HEADERS``.
    headers: Mapping[str, str] | str | None = field(default=None, repr=False)
    #: ``none``, ``gzip`` or, over HTTP, ``deflate``.
    compression: str = "none"
    #: The longest that one request may take.
    timeout: float = 10.0
    #: File of the authorities to trust; None: the system's.
    certificate: str | None = None
    #: File of the client's certificate, and of its key where that stands apart.
    client_certificate: str | None = None
    client_key: str | None = None
    #: Statuses that are tried again beside those that OTLP has, for example 401; with gRPC names, for
    #: example ``UNAUTHENTICATED``.
    retry_statuses: tuple[int | str, ...] | list[int | str] = ()
    #: A request is never larger, before compression.
    max_request_bytes: int = 64 << 20
    #: Requests in flight at once. 1 keeps the order of records at the server, as far as one connection does.
    max_workers: int = 2
    #: Records of one request at most.
    batch_records: int = 2000
    #: Bytes of the records of one request in the spool, about.
    batch_bytes: int = 1 << 20
    #: How long a batch that is not full waits for more.
    batch_age: float = 0.2

    #: The URL that requests go to, without credentials.
    url: str = field(init=False, repr=False, compare=False)
    #: What gRPC calls it, and whether there is TLS.
    target: str = field(init=False, repr=False, compare=False)
    is_secure: bool = field(init=False, repr=False, compare=False)
    #: Limits and times of delivery, made from the options above.
    policy: DeliveryPolicy = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.check_connections()
        check_choice("protocol", self.protocol, PROTOCOLS)
        grpc = self.protocol == GRPC
        check_flag("insecure", self.insecure)
        headers = _headers(self.headers)
        if grpc:
            target = target_of(self.endpoint or "http://localhost:4317", self.insecure)
            url, name, secure = target
            authorization = ""
            check_metadata(headers)
        else:
            url, authorization = _split(self.endpoint or "http://localhost:4318")
            name, secure = url, url.startswith("https:")
        if authorization:
            if "authorization" in headers:
                raise ConfigError(
                    "give credentials in 'headers' or in 'endpoint', not in both", option="headers"
                )
            headers["authorization"] = authorization
        statuses = _codes(self.retry_statuses) if grpc else _statuses(self.retry_statuses)
        set_ = object.__setattr__
        set_(self, "headers", headers)
        set_(self, "endpoint", url)
        set_(self, "url", url)
        set_(self, "target", name)
        set_(self, "is_secure", secure)
        set_(self, "retry_statuses", statuses)
        check_choice("compression", self.compression, COMPRESSIONS[:2] if grpc else COMPRESSIONS)
        for name, (low, high) in _COUNTS.items():
            check_whole(name, getattr(self, name), low, high)
        check_seconds("timeout", self.timeout, high=3_600)
        self._check_files()
        # With more than one, a part is encoded while others are on their way.
        parts = 1 if self.max_workers == 1 else 2 * self.max_workers
        set_(self, "policy", DeliveryPolicy.of(self, parts))

    def _check_files(self) -> None:
        for name in _FILES:
            value: object = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value):
                raise ConfigError(f"option {name!r} must be the path of a file", option=name)
        if self.client_key is not None and self.client_certificate is None:
            raise ConfigError(
                "option 'client_key' needs 'client_certificate', which it belongs to", option="client_key"
            )

    @property
    def retryable(self) -> frozenset[int]:
        """The statuses that ask for another try."""
        more = [status for status in self.retry_statuses if isinstance(status, int)]
        return frozenset((*RETRYABLE, *more))

    @property
    def retryable_codes(self) -> frozenset[str]:
        """The same of gRPC, by name."""
        more = [status for status in self.retry_statuses if isinstance(status, str)]
        return frozenset((*RETRYABLE_CODES, *more))

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The headers of each request; secrets among them."""
        return self.headers if isinstance(self.headers, dict) else {}

    @classmethod
    def of(cls, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> OTLPOptions:
        """Options from a mapping, as configuration files give them; the rest from ``environ``.

        Raises:
            ConfigError: an option is unknown (the message has the nearest known one) or wrong.
        """
        known = [item.name for item in fields(cls) if item.init]
        check_names(options, known, "unknown option {} for OTLP")
        protocol = options.get("protocol") or protocol_from(environ or {})
        found = {} if environ is None else options_from(environ, grpc=protocol == GRPC)
        if "client_certificate" in options:
            found.pop("client_key", None)  # the environment's key belongs to the environment's certificate
        made = cls(**{**found, **options})
        # What the variables say may change as well: a token that is renewed in the process.
        return make_renewable(made, partial(cls.of, environ=environ), options, always=bool(found))


def _split(value: object) -> tuple[str, str]:
    """The URL without credentials, and the header that they become."""
    try:
        parts = urlsplit(value.strip()) if isinstance(value, str) else None
        good = parts is not None and parts.scheme in ("http", "https") and parts.hostname
        port = parts.port if parts is not None else None
    except ValueError:
        good, parts, port = None, None, None
    if not good or parts is None:
        # The text may hold a password: it is not shown.
        raise ConfigError(
            "option 'endpoint' must be a URL such as http://localhost:4318/v1/logs", option="endpoint"
        )
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
    place = host if port is None else f"{host}:{port}"
    return parts._replace(netloc=place, path=parts.path or LOGS_PATH, fragment="").geturl(), authorization


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, str):
        pairs: dict[Any, Any] = {}
        for number, entry in enumerate(value.split(","), 1):
            name, equals, text = entry.partition("=")
            if entry.strip() and not equals:
                raise ConfigError(f"option 'headers': entry {number} is no name=value", option="headers")
            if entry.strip():
                pairs[unquote(name.strip())] = unquote(text.strip())
    elif isinstance(value, Mapping):
        pairs = dict(value)
    else:
        raise ConfigError("option 'headers' must be a mapping of names to texts", option="headers")
    found: dict[str, str] = {}
    for name, text in pairs.items():
        if not isinstance(name, str) or not _TOKEN.match(name) or name.lower() in _OWN_HEADERS:
            raise ConfigError(f"option 'headers': {str(name)[:100]!r} is no header to set", option="headers")
        if not isinstance(text, str) or not _VALUE.match(text):
            raise ConfigError(
                f"option 'headers': the value of {name!r} must be text on one line", option="headers"
            )
        found[name.lower()] = text
    return found


def _codes(value: object) -> tuple[str, ...]:
    given: list[Any] = (
        [*value] if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]
    )
    if not all(isinstance(code, str) and code in STATUS_CODES for code in given):
        raise ConfigError(
            f"option 'retry_statuses' must be a list of names such as UNAUTHENTICATED for gRPC, not {value!r}",
            option="retry_statuses",
        )
    return tuple(sorted(set(given)))


def _statuses(value: object) -> tuple[int, ...]:
    given: list[Any] = (
        list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else [value]
    )
    for status in given:
        if (
            not isinstance(status, int)
            or isinstance(status, bool)
            or not 300 <= status <= 599
            or status == 413
        ):
            raise ConfigError(
                f"option 'retry_statuses' must be a list of statuses from 300 to 599 without 413, not {value!r}",
                option="retry_statuses",
            )
    return tuple(sorted(set(given)))
