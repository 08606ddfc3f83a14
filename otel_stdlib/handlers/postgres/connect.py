"""How the options become a connection: libpq's parameters, and the identity of the target."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Mapping
from typing import Any

from otel_stdlib.facts.errors import ConfigError, MissingExtraError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.facts.imports import load
from otel_stdlib.handlers.lifetime import KEEPALIVE_COUNT, KEEPALIVE_INTERVAL
from otel_stdlib.handlers.postgres.options import PostgresOptions

__all__ = ["connect_parameters", "identity_of", "load_driver"]

#: Seconds beyond ``statement_timeout`` before a silent server is given up.
GRACE = 5.0
_ROOT_CERT = os.path.join("~", ".postgresql", "root.crt")


def load_driver() -> Any:
    """The module ``psycopg2``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        load("psycopg2", "psycopg2.extensions")
        import psycopg2
        import psycopg2.extensions
    except ImportError:
        raise MissingExtraError("PostgresHandler", "postgres") from None
    return psycopg2


def _merged(options: PostgresOptions) -> dict[str, str]:
    """The parts of ``dsn`` with the options over them."""
    parts: dict[str, str] = {}
    if options.dsn is not None:
        driver = load_driver()
        try:
            parts = {name: str(value) for name, value in driver.extensions.parse_dsn(options.dsn).items()}
        except driver.Error:
            # The driver's text quotes the string, and the string holds the password.
            raise ConfigError("option 'dsn' is no libpq connection string or URI", option="dsn") from None
    else:
        parts = {"host": "localhost", "port": "5432", "dbname": "logs"}
    given = {
        "host": options.host,
        "port": options.port,
        "dbname": options.database,
        "user": options.user,
        "password": options.password,
        "sslmode": options.sslmode,
        "sslrootcert": options.sslrootcert,
    }
    parts.update({name: str(value) for name, value in given.items() if value is not None})
    return parts


def connect_parameters(
    options: PostgresOptions, environ: Mapping[str, str], libpq_version: int = 0
) -> dict[str, str | int]:
    """The keyword arguments of ``psycopg2.connect``.

    None of them needs a startup packet that a transaction-mode pooler would refuse.

    Args:
        options: the handler's.
        environ: ``os.environ``: ``PGSSLMODE`` and ``PGSSLROOTCERT`` count as for libpq.
        libpq_version: for example 160001; from 16 on it knows the system's authorities.
    """
    parts: dict[str, str | int] = {**_merged(options)}
    if "sslmode" not in parts and "PGSSLMODE" not in environ:
        parts["sslmode"] = "prefer" if _is_local(str(parts.get("host", ""))) else "verify-full"
    if (
        parts.get("sslmode") == "verify-full"
        and "sslrootcert" not in parts
        and "PGSSLROOTCERT" not in environ
        and libpq_version >= 160_000
        and not os.path.exists(os.path.expanduser(_ROOT_CERT))
    ):
        parts["sslrootcert"] = "system"
    limit = options.statement_timeout + GRACE
    defaults: dict[str, str | int] = {
        "connect_timeout": max(2, math.ceil(options.connect_timeout)),
        "application_name": options.application_name,
        "client_encoding": "UTF8",
        "keepalives": int(options.tcp_keepalive > 0),
        "keepalives_idle": math.ceil(options.tcp_keepalive),
        "keepalives_interval": KEEPALIVE_INTERVAL,
        "keepalives_count": KEEPALIVE_COUNT,
        "tcp_user_timeout": math.ceil(limit * 1000),
    }
    own = options.dsn is not None
    for name, value in defaults.items():
        if not (own and name in parts):
            parts[name] = value
    parts["client_encoding"] = "UTF8"
    return parts


def _is_local(hosts: str) -> bool:
    return all(_is_local_host(host.strip()) for host in hosts.split(","))


def _is_local_host(host: str) -> bool:
    if not host or host == "localhost" or host[0] in "/@":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def identity_of(options: PostgresOptions) -> Identity:
    """``host:port/database/table``: no user and no secret, so that a changed password changes nothing."""
    parts = _merged(options)
    place = parts.get("service") and f"service={parts['service']}"
    host = place or parts.get("hostaddr") or parts.get("host") or "local"
    port = parts.get("port", "5432")
    database = parts.get("dbname") or parts.get("user") or ""
    return Identity("postgres", f"{host}:{port}/{database}/{options.table.key}")
