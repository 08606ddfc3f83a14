from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otel_stdlib.delivery.contract import Outcome, Verdict
from otel_stdlib.facts.errors import PermanentError, RetryableError
from otel_stdlib.handlers.postgres import PostgresDestination
from tests.handlers.postgres.support import STEP, batch, frame, origin, uids
from tests.servers.postgres import Database

Make = Callable[..., PostgresDestination]
STORED, DUPLICATE = Outcome(Verdict.STORED), Outcome(Verdict.DUPLICATE)


def test_a_batch_is_stored_in_the_seeds_columns(make: Make, postgres_database: Database) -> None:
    """Every part of a record stands in its column, and what has none in the attributes."""
    target = make()
    target.open()
    assert target.deliver(batch([frame(7, 'said "hi"\n', user="ä")])) is None
    columns = "timestamp::text, severity_text, severity_number, body, trace_id, span_id, resource, attributes"
    rows = postgres_database.execute(f"SET timezone = 'UTC'; SELECT {columns} FROM otel_logs")
    assert [
        (
            "2025-08-22 10:11:00.000007+00",
            "INFO",
            9,
            'said "hi"\n',
            f"{7:032x}",
            f"{7:016x}",
            {"service.name": "shop", "host.name": "web-1"},
            {
                "otel.scope.name": "shop.orders",
                "trace_flags": "01",
                "number": 7,
                "user": "ä",
                "log.record.uid": f"{origin().spool_id}-{7 * STEP:014x}",
            },
        )
    ] == rows


def test_a_batch_sent_again_is_stored_once(make: Make, postgres_database: Database) -> None:
    """The offset row answers for a batch whose outcome was not heard."""
    target = make()
    target.open()
    assert target.position(origin()) is None
    frames = [frame(n) for n in range(1, 11)]
    assert target.deliver(batch(frames)) is None
    assert frames[-1].lsn + STEP == target.position(origin())
    assert [DUPLICATE] * 10 == target.deliver(batch(frames))
    more = [*frames[5:], frame(11)]
    assert [*[DUPLICATE] * 5, STORED] == target.deliver(batch(more))
    found = uids(postgres_database)
    assert (11, {1}) == (len(found), set(found.values()))


def test_senders_apart_from_the_spool_do_not_fence_each_other(
    make: Make, postgres_database: Database
) -> None:
    """What one of them stored says nothing of the records of another one, nor of the spool's own way."""
    ways = [origin(), *(replace(origin(), apart=name) for name in ("a", "b"))]
    assert len({each.key for each in ways}) == len(ways)
    assert {26} == {len(each.key) for each in ways}
    for number, each in enumerate(ways):
        target = make()
        target.open()
        assert target.position(each) is None
        assert target.deliver(batch([frame(9 - number), frame(19 - number)], each)) is None
        target.close()
    found = uids(postgres_database)
    assert (6, {1}) == (len(found), set(found.values()))


def test_a_batch_is_one_message(
    make: Make, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its spool's offset row is there: nothing but the rows is waited for."""
    target = make()
    target.open()
    assert target.deliver(batch([frame(1)])) is None
    assert target._session is not None
    monkeypatch.setattr(target._session, "execute", None)
    assert target.deliver(batch([frame(2), frame(3)])) is None
    assert target.deliver(batch([frame(4)])) is None
    monkeypatch.undo()
    assert 5 * STEP == target.position(origin())
    assert 4 == len(uids(postgres_database))


@pytest.mark.parametrize(
    "change", ["UPDATE otel_logs_offsets SET lsn = {0}", "DELETE FROM otel_logs_offsets"]
)
def test_a_batch_is_fenced_in_its_message(make: Make, postgres_database: Database, change: str) -> None:
    """What another one stored of it in the meantime is not stored again; a row that is gone is made again."""
    target = make()
    target.open()
    assert target.deliver(batch([frame(1)])) is None
    postgres_database.execute(change.format(3 * STEP))
    answer = target.deliver(batch([frame(n) for n in range(2, 6)]))
    expected = [DUPLICATE, STORED, STORED, STORED] if "UPDATE" in change else None
    assert expected == answer
    assert (4 if expected else 5) == len(uids(postgres_database))
    assert target.deliver(batch([frame(6)])) is None
    assert 7 * STEP == target.position(origin())


def test_an_error_of_the_commit_is_met(make: Make, postgres_database: Database) -> None:
    """A constraint that is checked at the very end: the batch is not stored, and is said not to be."""
    target = make()
    target.open()
    assert target.deliver(batch([frame(1)])) is None
    postgres_database.execute("ALTER TABLE otel_logs ADD UNIQUE (body) DEFERRABLE INITIALLY DEFERRED")
    with pytest.raises(PermanentError, match="23505"):
        target.deliver(batch([frame(2), frame(3, "order 2 placed")]))
    assert 2 * STEP == target.position(origin())
    assert 1 == len(uids(postgres_database))
    assert target.deliver(batch([frame(2)])) is None


def test_the_server_has_its_time_anew_at_both_ends_of_the_rows(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before the rows and what comes after them count apart, as they are statements of their own."""
    target = make()
    target.open()
    target.deliver(batch([frame(1)]))
    began: list[None] = []
    assert target._session is not None
    monkeypatch.setattr(target._session._watchdog, "extend", lambda: began.append(None))
    target.deliver(batch([frame(n, "x" * 1_000) for n in range(2, 1_002)]))
    assert 2 == len(began)


def test_forget_deletes_the_offset_row(make: Make, postgres_database: Database) -> None:
    """A spool that is gone leaves nothing but its records."""
    target = make()
    target.open()
    for name in ("A", "B"):
        target.deliver(batch([frame(1)], origin(name)))
    target.forget(origin("A"))
    assert [(origin("B").spool_id,)] == postgres_database.execute("SELECT spool_id FROM otel_logs_offsets")
    assert target.position(origin("A")) is None


def test_a_refused_connection_is_tried_again(make: Make, postgres_database: Database) -> None:
    """A server that is not there raises what the delivery thread retries, without the password."""
    target = make(postgres_database.through(1), connect_timeout=2)
    with pytest.raises(RetryableError) as caught:
        target.open()
    assert "refused" in str(caught.value)
    assert postgres_database.password not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody_here"}, {"database": "no_such"}])
def test_wrong_credentials_are_tried_again(make: Make, wrong: dict[str, Any]) -> None:
    """An account may be repaired while records wait; the message says what to look at."""
    with pytest.raises(RetryableError) as caught:
        make(**wrong).open()
    (name, value) = next(iter(wrong.items()))
    assert name in str(caught.value) or value in str(caught.value)


def test_pool_size_limits_connections_of_the_process(make: Make) -> None:
    """A destination that would be one too many waits until another one is closed."""
    first, second, third = (make(pool_size=2) for _ in range(3))
    first.open()
    second.open()
    with pytest.raises(RetryableError, match="pool_size"):
        third.open()
    first.close()
    third.open()


def test_close_is_idempotent_and_open_connects_again(make: Make, postgres_database: Database) -> None:
    """Nothing of the server is held after close; a destination that is opened again works."""
    target = make()
    target.close()
    target.open()
    target.close()
    target.close()
    ours = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    )
    assert [(0,)] == postgres_database.execute(ours, ("otel_stdlib",))
    assert target.deliver(batch([frame(1)])) is None
