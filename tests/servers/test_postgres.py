from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Database, Postgres, children
from tests.servers.process import until
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority


def test_answers_in_a_fresh_database(postgres_database: Database) -> None:
    """A new database is empty, and the password is needed."""
    assert postgres_database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert postgres_database.execute("SHOW fsync") == [("on",)]
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(postgres_database.dsn.replace(postgres_database.password, "wrong"))


def test_killed_and_restarted_keeps_what_was_committed(
    postgres_server: Postgres, postgres_database: Database
) -> None:
    """SIGKILL under an open transaction loses that one and nothing else, three times over."""
    postgres_database.execute("CREATE TABLE t (n int)")
    for n in range(3):
        open_transaction = postgres_database.connect()
        open_transaction.autocommit = False
        open_transaction.cursor().execute("INSERT INTO t VALUES (-1)")
        postgres_database.execute("INSERT INTO t VALUES (%s)", (n,))
        postgres_server.kill()
        assert not postgres_server.running
        with pytest.raises(psycopg2.OperationalError):
            postgres_database.connect()
        postgres_server.start()
        open_transaction.close()
    assert postgres_database.execute("SELECT n FROM t ORDER BY n") == [(0,), (1,), (2,)]


def test_restarted_from_a_thread_that_ends(postgres_server: Postgres, postgres_database: Database) -> None:
    """A server lives on after the thread that started it."""

    def restart() -> None:
        postgres_server.stop()
        postgres_server.start()

    thread = threading.Thread(target=restart)
    thread.start()
    thread.join()
    assert postgres_database.execute("SELECT 1") == [(1,)]


def test_kill_one_backend(postgres_server: Postgres, postgres_database: Database) -> None:
    """SIGKILL to a backend breaks its connection; the postmaster recovers by itself."""
    connection = postgres_database.connect()
    with connection.cursor() as cursor:
        pid = connection.get_backend_pid()
        postgres_server.kill_backend(pid)
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")
    connection.close()
    assert until(lambda: answers(postgres_database), 30)
    with pytest.raises(ValueError, match="no process"):
        postgres_server.kill_backend(pid)


def answers(database: Database) -> bool:
    """Whether a new connection gets an answer."""
    try:
        return database.execute("SELECT 1") == [(1,)]
    except psycopg2.OperationalError:
        return False


def test_paused_hangs_and_resumes(postgres_server: Postgres, postgres_database: Database) -> None:
    """A stopped process answers nobody; its connections work again when it goes on."""
    connection = postgres_database.connect()
    postgres_server.pause()
    answer: list[object] = []

    def query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 7")
            answer.append(cursor.fetchone())

    thread = threading.Thread(target=query)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    postgres_server.resume()
    thread.join(30)
    connection.close()
    assert answer == [(7,)]


def test_behind_the_proxy_a_commit_whose_answer_is_lost(
    postgres_database: Database, proxy: Callable[[str, int], Proxy]
) -> None:
    """The proxy can lose the answer to COMMIT alone: the client sees an error, the row is there."""
    postgres_database.execute("CREATE TABLE t (n int)")
    door = proxy(postgres_database.host, postgres_database.port)
    connection = postgres_database.through(door.port).connect()
    connection.autocommit = False
    door.lose_answer(to=b"COMMIT")
    connection.cursor().execute("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg2.OperationalError):
        connection.commit()
    connection.close()
    assert postgres_database.execute("SELECT n FROM t") == [(1,)]


def test_tls(postgres_node: Callable[..., Postgres], authority: Authority) -> None:
    """An own server speaks TLS that the authority vouches for."""
    database = postgres_node(tls=authority).database()
    assert database.sslmode == "verify-full"
    sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert database.execute(sql) == [(True,)]


@pytest.mark.server
def test_own_settings_and_nothing_left_behind() -> None:
    """An own server has the settings asked for; after its end its processes and folder are gone."""
    with Postgres({"max_connections": "11"}) as server:
        assert server.database().execute("SHOW max_connections") == [("11",)]
        pids = [server.pid, *children(server.pid)]
        assert len(pids) > 3
    assert not server.directory.exists()
    assert not any(Path(f"/proc/{pid}/cwd").exists() for pid in pids)


def test_pgbouncer_pools_transactions(
    postgres_database: Database, pgbouncer: Callable[..., PgBouncer]
) -> None:
    """Two clients of the pooler share one backend, and a restart of the pooler is survived."""
    pooler = pgbouncer({"default_pool_size": "1"})
    database = pooler.through(postgres_database)
    one, two = database.connect(), database.connect()
    pids = set()
    for session in (one, two):
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids |= set(cursor.fetchall())
        session.close()
    assert len(pids) == 1
    pooler.kill()
    with pytest.raises(psycopg2.OperationalError):
        database.connect()
    pooler.start()
    assert database.execute("SELECT 1") == [(1,)]
