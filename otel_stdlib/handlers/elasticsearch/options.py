"""The options of the Elasticsearch back end, checked where they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import unquote, urlsplit

from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_flag, check_names, check_seconds, check_whole
from otel_stdlib.handlers.elasticsearch.naming import DataStream, IndexPattern
from otel_stdlib.handlers.lifetime import ConnectionOptions
from otel_stdlib.handlers.renewal import Renewable, make_renewable

__all__ = ["ATTRIBUTE_MAPPINGS", "MAPPINGS", "ElasticsearchOptions"]

MAPPINGS = ("otel", "seed", "ecs")
ATTRIBUTE_MAPPINGS = ("dotted", "flattened")
DEFAULT_PATTERN = "otel-logs-%Y.%m.%d"
_COUNTS = {"max_workers": (1, 100), "batch_records": (1, 100_000), "batch_bytes": (1, 64 << 20)}
_FLAGS = ("verify_certs", "gzip", "logsdb")


@dataclass(frozen=True)
class ElasticsearchOptions(ConnectionOptions, Renewable):
    """Where records are stored and how. Times in seconds, sizes in bytes.

    Raises:
        ConfigError: a value is wrong; the message quotes the option and never a secret.
    """

    #: URLs with scheme and port. Credentials in one are taken out and become ``basic_auth``.
    hosts: str | tuple[str, ...] | list[str] = ("http://localhost:9200",)
    #: Index names: ``strftime`` by the event's UTC time and ``{attribute}``. Not with ``data_stream``.
    #: None: ``otel-logs-%Y.%m.%d``, unless there is a ``data_stream``.
    index_pattern: str | None = None
    #: ``type`` (``logs``), ``dataset`` (``generic``) and ``namespace`` (``default``) of a data stream.
    data_stream: Mapping[str, str] | DataStream | None = None
    #: ``[user, password]`` or ``user:password``.
    basic_auth: str | tuple[str, str] | list[str] | None = field(default=None, repr=False)
    #: The encoded key, or ``[id, key]``.
    api_key: str | tuple[str, str] | list[str] | None = field(default=None, repr=False)
    #: File of the authorities to trust; None: the ones that the client brings.
    ca_certs: str | None = None
    verify_certs: bool = True
    #: The longest that one request may take.
    timeout: float = 30.0
    #: Bulk requests in flight at once.
    max_workers: int = 4
    #: Records of one bulk request at most.
    batch_records: int = 1000
    #: Bytes of one bulk request, about.
    batch_bytes: int = 4 << 20
    #: How long a batch that is not full waits for more.
    batch_age: float = 0.2
    #: The shape of a document: ``otel``, ``seed`` or ``ecs``; see ``docs/elasticsearch.md``.
    mapping: str = "otel"
    #: How the template maps attributes: ``dotted`` (each a field of its own) or ``flattened`` (one field).
    attributes: str = "dotted"
    #: Compress requests.
    gzip: bool = False
    #: Ask for ``index.mode: logsdb`` in the template.
    logsdb: bool = False
    #: Keep an index template: true, false, or true under this name.
    template: bool | str = True

    def __post_init__(self) -> None:
        self.check_connections()
        hosts, found = _hosts(self.hosts)
        if found is not None and self.basic_auth is not None:
            raise ConfigError(
                "give credentials in 'basic_auth' or in 'hosts', not in both", option="basic_auth"
            )
        user = found or _pair("basic_auth", self.basic_auth)
        if user is not None and self.api_key is not None:
            raise ConfigError("option 'api_key' excludes 'basic_auth': give one of them", option="api_key")
        if not isinstance(self.index_pattern, (str, type(None))):
            raise ConfigError(
                f"option 'index_pattern' must be text, not {self.index_pattern!r}", option="index_pattern"
            )
        if self.index_pattern is not None and self.data_stream is not None:
            raise ConfigError(
                "option 'data_stream' excludes 'index_pattern': give one of them", option="data_stream"
            )
        for name, value in (("hosts", hosts), ("basic_auth", user), ("api_key", _key(self.api_key))):
            object.__setattr__(self, name, value)
        if self.data_stream is not None:
            object.__setattr__(self, "data_stream", DataStream.of(self.data_stream))
        else:
            object.__setattr__(self, "index_pattern", self.index_pattern or DEFAULT_PATTERN)
        for name, (low, high) in _COUNTS.items():
            check_whole(name, getattr(self, name), low, high)
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        check_choice("mapping", self.mapping, MAPPINGS)
        check_choice("attributes", self.attributes, ATTRIBUTE_MAPPINGS)
        check_seconds("timeout", self.timeout, high=3_600)
        authorities: object = self.ca_certs
        if authorities is not None and not (isinstance(authorities, str) and authorities):
            raise ConfigError("option 'ca_certs' must be the path of a file", option="ca_certs")
        naming = (
            self.data_stream
            if isinstance(self.data_stream, DataStream)
            else IndexPattern(str(self.index_pattern))
        )
        object.__setattr__(self, "naming", naming)
        self._check_template()
        # One batch of the delivery thread is what all workers together send at once.
        object.__setattr__(self, "policy", DeliveryPolicy.of(self, self.max_workers))

    #: Parsed from ``index_pattern`` or ``data_stream``.
    naming: IndexPattern | DataStream = field(init=False, repr=False, compare=False)
    #: Limits and times of delivery, made from the options above.
    policy: DeliveryPolicy = field(init=False, repr=False, compare=False)

    def _check_template(self) -> None:
        name: object = self.template
        if not isinstance(name, (bool, str)) or not str(name).strip():
            raise ConfigError(
                f"option 'template' must be true, false or a name, not {name!r}", option="template"
            )
        if name is not False and sum(sign.isalnum() for sign in self.naming.wildcard) < 3:
            raise ConfigError(
                f"option 'index_pattern' ({self.index_pattern!r}) has no fixed part, so its template would catch "
                "every index: give it a name of at least three letters, or set 'template' to false",
                option="index_pattern",
            )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ElasticsearchOptions:
        """Options from a mapping, as configuration files give them.

        Raises:
            ConfigError: an option is unknown (the message has the nearest known one) or wrong.
        """
        known = [item.name for item in fields(cls) if item.init]
        check_names(options, known, "unknown option {} for Elasticsearch")
        return make_renewable(cls(**options), cls.of, options)


def _hosts(value: object) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """The URLs without credentials, and the credentials that stood in them."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or len(given) == 0:
        raise ConfigError("option 'hosts' must be a URL or a list of URLs", option="hosts")
    clean: list[str] = []
    found: tuple[str, str] | None = None
    for number, url in enumerate(given, 1):
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
            good = parts is not None and parts.scheme in ("http", "https") and parts.hostname and parts.port
        except ValueError:
            good = None
        if not good or parts is None:
            # The URL itself may hold a password: it is not shown.
            raise ConfigError(
                f"option 'hosts': entry {number} must be a URL with a scheme and a port, such as "
                "https://localhost:9200",
                option="hosts",
            )
        if parts.username is not None:
            found = (unquote(parts.username), unquote(parts.password or ""))
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
        clean.append(f"{parts.scheme}://{host}:{parts.port}{parts.path.rstrip('/')}")
    return tuple(clean), found


def _pair(name: str, value: object) -> tuple[str, str] | None:
    if value is None:
        return None
    parts = value.split(":", 1) if isinstance(value, str) else value
    if (
        not isinstance(parts, (list, tuple))
        or len(parts) != 2
        or not all(isinstance(part, str) for part in parts)
    ):
        raise ConfigError(f"option {name!r} must be two texts", option=name)
    return str(parts[0]), str(parts[1])


def _key(value: object) -> str | tuple[str, str] | None:
    if value is None or (isinstance(value, str) and value):
        return value
    if isinstance(value, str):
        raise ConfigError("option 'api_key' must not be empty", option="api_key")
    return _pair("api_key", value)
