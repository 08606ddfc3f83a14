"""A password that is rotated on the server and in its file: PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.handlers.rotation import counted, rotating
from tests.servers.postgres import Database


@pytest.fixture
def role(postgres_database: Database) -> Iterator[str]:
    """A role that may make tables in the test's database."""
    name = f"shop_{secrets.token_hex(4)}"
    execute = postgres_database.execute
    execute(f"CREATE ROLE {name} LOGIN")
    execute(f"GRANT ALL ON SCHEMA public TO {name}")
    execute(f"GRANT ALL ON DATABASE {postgres_database.name} TO {name}")
    yield name
    execute(f"DROP OWNED BY {name} CASCADE")
    execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("where", ["password", "dsn"])
def test_a_rotated_password_is_read_again(
    postgres_database: Database, role: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    """28P01 until the file has the new one; then everything that waited is stored, with no reload."""
    base = postgres_database

    def handler(variable: str) -> dict[str, Any]:
        kind = {"class": "otel_stdlib.handlers.PostgresHandler"}
        if where == "dsn":
            place = f"{base.host}:{base.port}/{base.name}"
            return {**kind, "dsn": f"postgresql://{role}:{variable}@{place}?sslmode=disable"}
        server = {"host": base.host, "port": base.port, "database": base.name, "sslmode": "disable"}
        return {**kind, **server, "user": role, "password": variable}

    def change() -> str:
        password = secrets.token_urlsafe(12)
        set_password(password)
        base.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        return password

    def set_password(password: str) -> None:
        base.execute(f"ALTER ROLE {role} PASSWORD '{password}'")

    def stored() -> dict[str, int]:
        return counted(row[0] for row in base.execute("SELECT body FROM otel_logs"))

    first = secrets.token_urlsafe(12)
    set_password(first)
    with rotating(tmp_path, handler, first) as rotation:
        rotation.survives(change, stored, capsys)
