"""Faults on a real server, each counted by uid at the end: none missing, none twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import ListSource, batch, expected, frame, origin, uids
from tests.servers.postgres import Database, Postgres
from tests.servers.proxy import Proxy
from tests.support import eventually

Make = Callable[..., PostgresDestination]
Run = Callable[..., DestinationWorker]
Proxies = Callable[[str, int], Proxy]

pytestmark = pytest.mark.fault
#: All backends of this database that deliver.
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'otel_stdlib'"
)


@contextmanager
def load(source: ListSource, pause: float = 0.002) -> Iterator[None]:
    """A thread that logs some records every ``pause`` seconds until the end of the block."""
    ended = threading.Event()
    numbers = count(len(source.frames) + 1)

    def log() -> None:
        while not ended.wait(pause):
            source.extend([frame(next(numbers)) for _ in range(20)])

    thread = threading.Thread(target=log)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def delivered(worker: DestinationWorker, *sources: ListSource, timeout: float = 30.0) -> None:
    """Wait until every source is settled."""
    eventually(lambda: all(source.saved == source.head() for source in sources), timeout)
    assert worker.stop(time.monotonic() + 30)


def test_backends_killed_under_load(
    make: Make, run: Run, postgres_server: Postgres, postgres_database: Database
) -> None:
    """SIGKILL to our server process, which restarts all of them, ten times while records come."""
    source = ListSource()
    worker = run(make(), source)
    with load(source):
        for _ in range(10):
            seen = source.saved
            eventually(lambda seen=seen: source.saved > seen, 60)
            for (pid,) in eventually(lambda: ask(postgres_database, BACKENDS), 30):
                try:
                    postgres_server.kill_backend(pid)
                except ValueError:
                    continue  # it had gone with the one before
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


def test_the_postmaster_killed_under_load(
    make: Make, run: Run, postgres_server: Postgres, postgres_database: Database
) -> None:
    """SIGKILL to the whole server, ten times while records come."""
    source = ListSource()
    worker = run(make(), source)
    with load(source):
        for _ in range(10):
            seen = source.saved
            eventually(lambda seen=seen: source.saved > seen, 60)
            postgres_server.kill()
            postgres_server.start()
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


def test_connections_ended_by_an_administrator_under_load(
    make: Make, run: Run, postgres_database: Database
) -> None:
    """``pg_terminate_backend`` at any moment, twenty times."""
    source = ListSource()
    worker = run(make(), source)
    with load(source):
        for _ in range(20):
            seen = source.saved
            eventually(lambda seen=seen: source.saved > seen, 60)
            postgres_database.execute(BACKENDS.replace("SELECT pid", "SELECT pg_terminate_backend(pid)"))
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


@pytest.mark.parametrize("to", [b"updated_at = now()", b"COMMIT"], ids=["of rows", "of any kind"])
def test_the_answer_to_commit_is_lost(
    make: Make, run: Run, proxy: Proxies, postgres_database: Database, to: bytes
) -> None:
    """The server did it and the connection was cut before it could say so, ten times; the schema's commits too."""
    between = proxy(postgres_database.host, postgres_database.port)
    source = ListSource([frame(n) for n in range(1, 4_001)])
    between.lose_answer(to=to, times=10)
    target = make(postgres_database.through(between.port), batch_records=100)
    worker = run(target, source)
    delivered(worker, source)
    assert between.traffic.lost_answers >= 10
    assert expected(source) == uids(postgres_database)
    assert to == b"COMMIT" or worker.snapshot()["retried"] >= 1_000


def test_the_answer_to_a_whole_batch_is_lost(
    make: Make, run: Run, proxy: Proxies, postgres_database: Database
) -> None:
    """The same where a batch is one message, whose rows end with CopyDone: stored each time, and never twice."""
    between = proxy(postgres_database.host, postgres_database.port)
    source = ListSource([frame(1)])
    worker = run(make(postgres_database.through(between.port), batch_records=100), source)
    eventually(lambda: source.saved == source.head(), 20)
    between.lose_answer(to=b"c\0\0\0\4", times=10)
    source.extend(frame(n) for n in range(2, 2_002))
    delivered(worker, source)
    assert between.traffic.lost_answers >= 10
    assert expected(source) == uids(postgres_database)
    assert worker.snapshot()["duplicates"] == 1_000


def test_connections_cut_at_any_byte(
    make: Make, run: Run, proxy: Proxies, postgres_database: Database
) -> None:
    """Requests torn at growing lengths: in the middle of BEGIN, of rows, of COMMIT."""
    between = proxy(postgres_database.host, postgres_database.port)
    source = ListSource()
    worker = run(make(postgres_database.through(between.port), batch_records=50), source)
    with load(source):
        for size in range(100, 20_000, 900):
            cuts = between.traffic.cuts
            between.cut_after(size)
            between.wait_for(lambda t, cuts=cuts: t.cuts > cuts)
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


def test_a_server_that_hangs_is_given_up(
    make: Make, run: Run, proxy: Proxies, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections stay open and nothing answers: the limit ends them, and delivery goes on elsewhere."""
    monkeypatch.setattr("otel_stdlib.handlers.postgres.session.GRACE", 0.2)
    between = proxy(postgres_database.host, postgres_database.port)
    source = ListSource([frame(n) for n in range(1, 1_001)])
    worker = run(make(postgres_database.through(between.port), statement_timeout=0.5), source)
    eventually(lambda: source.saved == source.head(), 60)
    between.swallow_answers()
    source.extend(frame(n) for n in range(1_001, 2_001))
    eventually(lambda: "no answer from the server" in str(worker.snapshot()), 60)
    between.cut()
    between.pass_through()
    delivered(worker, source)
    assert expected(source) == uids(postgres_database)


def test_a_transaction_left_behind_is_ended(make: Make, proxy: Proxies, postgres_database: Database) -> None:
    """A COPY whose client has gone behind a proxy that keeps the connection does not hold the offset row."""
    between = proxy(postgres_database.host, postgres_database.port)
    target = make(postgres_database.through(between.port))
    target.open()
    target.deliver(batch([frame(1)]))
    session = target._session
    assert session is not None
    target._begin(session, batch([frame(2)]))
    # The server's process stays in its transaction: the proxy passes nothing on, not even the end.
    between.deaf()
    session._watchdog._shut()
    with pytest.raises(RetryableError):
        target.deliver(batch([frame(2)]))
    locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%'"
    assert [(1,)] == postgres_database.execute(locked)
    between.target(postgres_database.host, postgres_database.port)
    other = make()
    other._orphaned = target._orphaned
    assert other.deliver(batch([frame(2)])) is None
    # It has let go of its locks; what it was doing is still shown until it has gone.
    eventually(lambda: postgres_database.execute(locked) == [(0,)])


def test_a_copy_left_behind_is_ended(make: Make, proxy: Proxies, postgres_database: Database) -> None:
    """The same in the middle of the one message that stores a batch."""
    between = proxy(postgres_database.host, postgres_database.port)
    target = make(postgres_database.through(between.port))
    target.open()
    target.deliver(batch([frame(1)]))
    session = target._session
    assert session is not None

    def lose() -> None:
        between.deaf()
        session._watchdog._shut()

    target.meanwhile = lose
    with pytest.raises(RetryableError):
        target.deliver(batch([frame(2)]))
    held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%COPY%' AND "
    held += "pid <> pg_backend_pid() AND state = 'active'"
    assert [(1,)] == postgres_database.execute(held)
    between.target(postgres_database.host, postgres_database.port)
    other = make()
    other._orphaned = target._orphaned
    assert other.deliver(batch([frame(2)])) is None
    assert [(0,)] == postgres_database.execute(held)
    assert 2 == len(uids(postgres_database))


def test_two_adopters_of_one_spool_store_it_once(make: Make, run: Run, postgres_database: Database) -> None:
    """Two deliverers of one spool, with batches of different sizes, fence each other by the offset row."""
    frames = [frame(n) for n in range(1, 5_001)]
    sources = [ListSource(frames), ListSource(frames)]
    workers = [run(make(batch_records=size), source) for size, source in zip((70, 110), sources, strict=True)]
    for worker, source in zip(workers, sources, strict=True):
        delivered(worker, source)
    assert expected(sources[0]) == uids(postgres_database)


def test_two_spools_fill_one_table(make: Make, run: Run, postgres_database: Database) -> None:
    """Deliverers that make the same missing table at the same time do not stand in each other's way."""
    sources = [ListSource([frame(n) for n in range(1, 2_001)], origin(name)) for name in "ABCD"]
    workers = [run(make(batch_records=100), source) for source in sources]
    for worker, source in zip(workers, sources, strict=True):
        delivered(worker, source)
    assert expected(*sources) == uids(postgres_database)


def ask(database: Database, sql: str) -> list[tuple[int]]:
    """Rows, or none while the server restarts."""
    import psycopg2

    try:
        return [(int(row[0]),) for row in database.execute(sql)]
    except psycopg2.OperationalError:
        return []
