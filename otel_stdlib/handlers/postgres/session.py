"""One connection: statements and COPY, each within a time limit, and errors by what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from otel_stdlib.facts.errors import DeliveryError
from otel_stdlib.facts.forks import ForkRegistry
from otel_stdlib.handlers.postgres.connect import GRACE, connect_parameters, load_driver
from otel_stdlib.handlers.postgres.errors import Failure, classify, failure_of
from otel_stdlib.handlers.postgres.green import copy_in, waiting_here
from otel_stdlib.handlers.postgres.hosts import Hosts
from otel_stdlib.handlers.postgres.names import literal
from otel_stdlib.handlers.postgres.options import PostgresOptions
from otel_stdlib.handlers.postgres.stream import RowStream
from otel_stdlib.handlers.postgres.watchdog import Watchdog

__all__ = ["READ_ONLY", "Session", "SqlError", "Statement", "begin_sql"]

#: Ends a transaction that outlived its connection: the one with this mark, whoever has the server process now.
_END_TRANSACTION = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND pid <> pg_backend_pid()
  AND classid = (%(mark)s::bigint >> 32)::oid AND objid = (%(mark)s::bigint & 4294967295)::oid"""
#: SQLSTATE of a server that only reads.
READ_ONLY = "25006"
#: The driver's TRANSACTION_STATUS_IDLE.
_IDLE = 0


class SqlError(Exception):
    """A statement failed. ``lost``: the connection is of no use any more; ``timed_out``: no answer came."""

    def __init__(self, failure: Failure, lost: bool, timed_out: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.lost = lost
        self.timed_out = timed_out

    @property
    def too_slow(self) -> bool:
        """Whether a limit of time ended it: the server's or ours."""
        return self.failure.sqlstate == "57014" or self.timed_out

    def classified(self, *, in_rows: bool = False) -> DeliveryError:
        """What the delivery thread is to be told. ``in_rows``: the server had begun to read rows."""
        return classify(self.failure, in_rows=in_rows)


#: SQL and its parameters.
Statement = tuple[str, tuple[Any, ...]]


def begin_sql(options: PostgresOptions) -> str:
    """The beginning of every transaction: all settings are the transaction's own, as a pooler wants it.

    The idle limit and the server's keepalives end a transaction whose client is gone without a
    word or stopped: else its lock on the offset row would hold everybody up.
    """
    timeout = int(options.statement_timeout * 1000)
    settings = {
        "statement_timeout": str(timeout),
        "idle_in_transaction_session_timeout": str(max(10_000, timeout)),
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    if options.synchronous_commit is not None:
        settings["synchronous_commit"] = options.synchronous_commit
    sets = "".join(f"; SET LOCAL {name} = {literal(value)}" for name, value in settings.items())
    return f"BEGIN ISOLATION LEVEL READ COMMITTED{sets}"


class _Watched:
    """A stream that gives the server its time anew when it asks for the first row and when it has the last one."""

    def __init__(self, stream: RowStream, watchdog: Watchdog) -> None:
        self._stream = stream
        self._watchdog = watchdog

    def read(self, size: int = -1) -> bytes:
        first = not self._stream.begun
        piece = self._stream.read(size)
        if first or not piece:
            self._watchdog.extend()
        return piece


class Session:
    """A connection in autocommit mode whose transactions are begun and ended by statements.

    Used by one thread.

    Args:
        hosts: what is remembered of each host.

    Raises:
        SqlError: as every call here.
    """

    def __init__(self, options: PostgresOptions, hosts: Hosts | None = None) -> None:
        driver = load_driver()
        self._error: type[Exception] = driver.Error
        parameters = connect_parameters(options, os.environ, driver.extensions.libpq_version())
        self._hosts = hosts or Hosts()
        self._host = 0
        self._connection = self._connect(driver, parameters, options.connect_timeout)
        self._connection.autocommit = True
        self._watchdog = Watchdog(self._connection.fileno(), options.statement_timeout + GRACE)
        self._cursor = self._connection.cursor()
        self._lifetime = options.lifetime()
        #: Marks this connection's transactions among all on the server, whichever of its processes has them:
        #: the key of an advisory lock.
        self.mark = int.from_bytes(os.urandom(8), "big") >> 1
        #: Whether a transaction that bears the mark may be open: somebody must end it when the connection is lost.
        self.in_transaction = False
        self._pid = os.getpid()
        _sessions.add(self)

    def _connect(self, driver: Any, parameters: Mapping[str, Any], limit: float) -> Any:
        failures: list[str] = []
        for number, given in self._hosts.attempts(parameters):
            self._host = number
            try:
                with waiting_here(float(given.get("connect_timeout", limit))):
                    found = driver.connect(**given)
            except driver.Error as error:
                self._hosts.failed(self._host)
                failures.append(self._named(failure_of(error)).message)
            else:
                self._hosts.worked(self._host)
                return found
        raise SqlError(Failure(None, "; ".join(failures)), lost=True)

    def _named(self, failure: Failure) -> Failure:
        """A failure that is the host's, with its name where there are several."""
        name = self._hosts.name(self._host)
        return failure._replace(message=f"{name}: {failure.message}") if name else failure

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""
        return self._connection.closed != 0 or self._watchdog.fired

    @property
    def is_spent(self) -> bool:
        """Whether it is too old, or was idle for too long, to begin something new on it."""
        return self._lifetime.is_over and not self.in_transaction

    def is_read_only(self) -> bool:
        """Whether the server cannot be written to, as after a failover; then another host comes first."""
        read_only: bool = self.execute("SELECT current_setting('transaction_read_only')")[0][0] == "on"
        if read_only:
            self._hosts.failed(self._host)
        return read_only

    def execute(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Run one or more statements; the rows of the last one."""
        rows: list[tuple[Any, ...]] = self._guarded(lambda: self._execute(sql, parameters))
        return rows

    def _execute(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql, parameters)
        return self._cursor.fetchall() if self._cursor.description else []

    def copy(self, sql: str, stream: RowStream) -> None:
        """COPY a stream of rows."""
        self._guarded(lambda: copy_in(self._cursor, "", sql, stream, ""))

    def commit(self, sql: str, parameters: Any) -> None:
        """Run a last statement and COMMIT in one round trip. After an error the outcome may be unknown."""
        self.execute(f"{sql}; COMMIT", parameters)
        if self._cursor.statusmessage != "COMMIT":
            raise SqlError(Failure(None, f"COMMIT was answered by {self._cursor.statusmessage}"), lost=False)
        self.in_transaction = False

    def store(self, begin: Statement, copy_sql: str, stream: RowStream, end: Statement) -> None:
        """Run ``begin``, COPY a stream of rows, run ``end`` and COMMIT: all of it in one message.

        The client is waited for only for the rows, so that the server never idles because a busy
        application has the GIL. An error anywhere ends it before what follows. After one the
        outcome may be unknown.
        """
        self.in_transaction = True
        self._guarded(lambda: self._store(begin, copy_sql, stream, end))
        self.in_transaction = False

    def _store(self, begin: Statement, copy_sql: str, stream: RowStream, end: Statement) -> None:
        cursor = self._cursor
        first, last = (cursor.mogrify(*statement).decode() for statement in (begin, end))
        copy_in(cursor, first, copy_sql, _Watched(stream, self._watchdog), f"{last}; COMMIT")
        if self._connection.get_transaction_status() != _IDLE:
            raise SqlError(Failure(None, "COMMIT did not end the transaction"), lost=False)

    def try_out(self, begin: str, copy_sql: str, stream: RowStream) -> None:
        """COPY a stream of rows and take it back. What a COMMIT would check is checked."""
        self.in_transaction = True
        self.execute(begin)
        self.copy(copy_sql, stream)
        self.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self.rollback()

    def rollback(self) -> None:
        """End a transaction that failed; a connection that cannot even do that is closed."""
        try:
            self.execute("ROLLBACK")
        except SqlError:
            self.close()
        else:
            self.in_transaction = False

    def end_orphan(self, mark: int) -> None:
        """End the transaction that another connection with this mark left behind, if it is still there."""
        try:
            self.execute(_END_TRANSACTION, {"mark": mark})
        except SqlError as error:
            if error.lost:
                raise
            # Not allowed here: the server's own limits end it.

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            with self._watchdog.guard():
                found = call()
            self._lifetime.use()
            return found
        except self._error as error:
            if self._watchdog.fired:
                failure = Failure(None, f"no answer from the server within {self._watchdog.limit:g} s")
            else:
                failure = failure_of(error)
            # After 57P01 and its like the server has hung up, though the driver may not know yet.
            code = failure.sqlstate or ""
            lost = self.closed or code.startswith(("57P", "08")) or not code
            if self._watchdog.fired or code == READ_ONLY:
                self._hosts.failed(self._host)
            if lost or code == READ_ONLY:
                failure = self._named(failure)
            raise SqlError(failure, lost, self._watchdog.fired) from None

    def close(self) -> None:
        """Release the connection. Never raises, never waits for an answer."""
        if self._pid != os.getpid():
            return
        _sessions.discard(self)
        self._watchdog.close()
        try:
            self._connection.close()
        except self._error:
            pass

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors, that the server may see its real client end."""
        _sessions.discard(self)
        self._watchdog.abandon()
        try:
            os.close(self._connection.fileno())
        except (OSError, self._error):
            pass


_sessions = ForkRegistry(Session.abandon)
