"""The options of the PostgreSQL back end, checked where they are given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.facts.errors import ConfigError
from otel_stdlib.facts.options import check_choice, check_flag, check_names, check_seconds, check_whole
from otel_stdlib.handlers.lifetime import ConnectionOptions
from otel_stdlib.handlers.postgres.columns import ExtraColumn
from otel_stdlib.handlers.postgres.names import TableName
from otel_stdlib.handlers.renewal import Renewable, make_renewable

__all__ = ["PostgresOptions", "parse_retention"]

_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "partition": ("none", "daily", "monthly"),
    "indexes": ("standard", "brin", "none"),
    "synchronous_commit": ("on", "off", "local", "remote_write", "remote_apply"),
}
_TEXTS = ("host", "database", "user", "password", "dsn", "sslrootcert", "application_name")
#: Option: least and greatest value. Counts are integers, times are seconds.
_COUNTS = {
    "port": (1, 65_535),
    "pool_size": (1, 1_000),
    "batch_records": (1, 1_000_000),
    "batch_bytes": (1, 1 << 30),
}
_SECONDS = {
    "connect_timeout": (1, 3_600),
    "statement_timeout": (0.1, 86_400),
}
_RETENTION = re.compile(r"\s*([0-9]{1,6})\s*(d|day|days|w|week|weeks)?\s*")


@dataclass(frozen=True)
class PostgresOptions(ConnectionOptions, Renewable):
    """Where records are stored and how. Times in seconds, sizes in bytes.

    Raises:
        ConfigError: a value is wrong; the message quotes the option and never a secret.
    """

    #: A host name, address or folder of a Unix socket. None: as ``dsn`` says, else ``localhost``.
    host: str | None = None
    #: None: as ``dsn`` says, else 5432.
    port: int | None = None
    #: None: as ``dsn`` says, else ``logs``.
    database: str | None = None
    #: None: as ``dsn`` says, else libpq's own rules (``PGUSER``, the account's name).
    user: str | None = None
    #: None: as ``dsn`` says, else libpq's own rules (``PGPASSWORD``, ``~/.pgpass``).
    password: str | None = field(default=None, repr=False)
    #: The table, with its schema where it is not the first of the server's ``search_path``.
    table_name: str = "otel_logs"
    #: A libpq connection string or URI; the options above win over its parts.
    dsn: str | None = field(default=None, repr=False)
    #: None: as ``dsn`` or ``PGSSLMODE`` says, else ``prefer`` on this machine and ``verify-full`` elsewhere.
    sslmode: str | None = None
    #: File of the authorities to trust; None with ``verify-*``: the system's.
    sslrootcert: str | None = None
    connect_timeout: float = 10.0
    application_name: str = "otel_stdlib"
    #: The longest that one statement may take, waits for locks included; also what a server that
    #: does not answer is given.
    statement_timeout: float = 30.0
    #: Connections that this process may have open to one table. A delivery thread uses one.
    pool_size: int = 4
    #: Records of one transaction at most.
    batch_records: int = 10_000
    #: Bytes of records of one transaction at most, about.
    batch_bytes: int = 8 << 20
    #: How long a batch that is not full waits for more.
    batch_age: float = 0.2
    #: So many do not wait: a commit among them costs little, and a server that idles before the first
    #: full batch falls behind an application that logs without a pause.
    linger_records: ClassVar[int] = 2_500
    #: Make what is missing: schema, table, indices, offsets table, extra columns.
    create_table: bool = True
    #: Partitions by time, for a table that is made here: ``none``, ``daily`` or ``monthly``.
    partition: str = "none"
    #: Partitions wholly older than this are dropped: days (``30d``) or weeks (``8w``).
    retention: str | int | None = None
    #: Indices of a table that is made here: ``standard``, ``brin`` (by time) or ``none``.
    indexes: str = "standard"
    #: More columns, filled from attributes: ``{user_id: text}`` or
    #: ``{route: {attribute: http.route, type: text}}``.
    columns: Mapping[str, Any] = field(default_factory=dict)
    #: None: as the server says. ``off`` may lose what was acknowledged when the server crashes.
    synchronous_commit: str | None = None
    #: Make the views of ``docs/postgres.md``.
    views: bool = False

    def __post_init__(self) -> None:
        self.check_connections()
        for name in _TEXTS:
            _check_text(name, getattr(self, name))
        for name, (low, high) in _COUNTS.items():
            if getattr(self, name) is not None or name != "port":
                check_whole(name, getattr(self, name), low, high)
        for name, (least, most) in _SECONDS.items():
            check_seconds(name, getattr(self, name), least, most)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) is not None or name not in ("sslmode", "synchronous_commit"):
                check_choice(name, getattr(self, name), allowed)
        for name in ("create_table", "views"):
            check_flag(name, getattr(self, name))
        table = TableName.parse(self.table_name)
        extra = ExtraColumn.parse_all(self.columns)
        days = parse_retention(self.retention)
        if days is not None and self.partition == "none":
            raise ConfigError(
                "option 'retention' drops whole partitions: set 'partition' to daily or monthly",
                option="retention",
            )
        if days is not None and not self.create_table:
            raise ConfigError(
                "option 'retention' drops partitions, which 'create_table: false' leaves to somebody else",
                option="retention",
            )
        policy = DeliveryPolicy.of(self)
        for name, value in (
            ("table", table),
            ("extra_columns", extra),
            ("retention_days", days),
            ("policy", policy),
        ):
            object.__setattr__(self, name, value)

    #: Parsed from ``table_name``, ``columns`` and ``retention``.
    table: TableName = field(init=False, repr=False, compare=False)
    extra_columns: tuple[ExtraColumn, ...] = field(init=False, repr=False, compare=False)
    retention_days: int | None = field(init=False, repr=False, compare=False)
    #: Limits and times of delivery, made from the options above.
    policy: DeliveryPolicy = field(init=False, repr=False, compare=False)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> PostgresOptions:
        """Options from a mapping, as configuration files give them.

        Raises:
            ConfigError: an option is unknown (the message has the nearest known one) or wrong.
        """
        known = [item.name for item in fields(cls) if item.init]
        check_names(options, known, "unknown option {} for PostgreSQL")
        return make_renewable(cls(**options), cls.of, options)


def parse_retention(value: object) -> int | None:
    """Days of ``30d``, ``8w`` or a whole number of days; None for None.

    Raises:
        ConfigError: it is no such time, or less than a day.
    """
    if value is None:
        return None
    found = _RETENTION.fullmatch(str(value).lower()) if isinstance(value, (str, int)) else None
    if found is None or isinstance(value, bool) or int(found[1]) < 1:
        raise ConfigError(
            f"option 'retention' must be days or weeks such as '30d' or '8w', not {value!r}",
            option="retention",
        )
    return int(found[1]) * (7 if (found[2] or "d").startswith("w") else 1)


def _check_text(name: str, value: object) -> None:
    if value is None and name != "application_name":
        return
    # The value itself may be a secret: only its type is shown.
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"option {name!r} must be text, not {type(value).__name__}", option=name)
