"""What a connection and its transactions tell the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from otel_stdlib.handlers.postgres.session import Session, begin_sql
from tests.handlers.postgres.support import batch, frame, options
from tests.servers.postgres import Database
from tests.servers.proxy import Proxy

Make = Callable[..., PostgresDestination]


def setting(session: Session, name: str) -> Any:
    """What the server says that it is in this session now."""
    return session.execute("SELECT current_setting(%s)", (name,))[0][0]


def test_the_name_of_the_application(make: Make, postgres_database: Database) -> None:
    """Stands in the server's own list of sessions, for whoever looks there."""
    target = make(application_name="shop é")
    target.open()
    names = postgres_database.execute(
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert "otel_stdlib" not in {name for (name,) in names}
    assert 1 == len([name for (name,) in names if name.startswith("shop ")])


@pytest.mark.parametrize("asked", ["on", "off", "local", None])
def test_synchronous_commit_is_the_transactions(postgres_database: Database, asked: str | None) -> None:
    """Each transaction asks for it, and leaves the session as the server has it."""
    chosen = options(postgres_database, synchronous_commit=asked)
    session = Session(chosen)
    try:
        standard = setting(session, "synchronous_commit")
        session.execute(begin_sql(chosen))
        assert (asked or standard) == setting(session, "synchronous_commit")
        session.rollback()
        assert standard == setting(session, "synchronous_commit")
    finally:
        session.close()


def test_rows_are_stored_without_waiting_for_the_disk(make: Make, postgres_database: Database) -> None:
    """With ``synchronous_commit: off`` a batch is there as with any other."""
    target = make(synchronous_commit="off")
    target.open()
    assert target.deliver(batch([frame(1), frame(2)])) is None
    assert [(2,)] == postgres_database.execute("SELECT count(*) FROM otel_logs")


def test_a_server_that_says_nothing_is_given_up(
    make: Make, postgres_database: Database, proxy: Callable[[str, int], Proxy]
) -> None:
    """After ``connect_timeout``; a thread that is ended meanwhile does not hang."""
    door = proxy(postgres_database.host, postgres_database.port)
    door.deaf()
    target = make(postgres_database.through(door.port), connect_timeout=2)
    errors: list[BaseException] = []

    def connect() -> None:
        try:
            target.open()
        except RetryableError as error:
            errors.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert "time" in str(errors[0])
    assert time.monotonic() - began > 1
