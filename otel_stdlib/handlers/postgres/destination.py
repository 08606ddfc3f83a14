"""PostgreSQL as a destination: rows and the offset of their spool in one transaction.

    BEGIN; SET LOCAL …; SELECT lsn FROM <table>_offsets WHERE spool_id = … FOR UPDATE;
    COPY <table> (…) FROM STDIN;
    UPDATE <table>_offsets SET lsn = <end of the batch>; COMMIT

All of it is one message, in which the offset is a condition: the server waits for rows only. Where
the condition fails, or no row was there yet, the offset is read first and what is stored left out.

Whatever happens to the connection, the offset says afterwards whether the batch is stored, so
a batch sent again stores only what is missing. Two processes that deliver one spool wait for
each other at the locked row, and the second one finds everything stored. Nothing outlives a
transaction, so a pooler in transaction mode does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.delivery.abilities import do_nothing
from otel_stdlib.delivery.contract import DUPLICATE, STORED, Batch, Origin, Outcome, Verdict
from otel_stdlib.facts.clock import Clock, monotonic, wall_ns
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import DeliveryError, PermanentError, RetryableError
from otel_stdlib.handlers.postgres import slots
from otel_stdlib.handlers.postgres.connect import identity_of
from otel_stdlib.handlers.postgres.errors import is_stale
from otel_stdlib.handlers.postgres.hosts import Hosts
from otel_stdlib.handlers.postgres.options import PostgresOptions
from otel_stdlib.handlers.postgres.origins import Origins
from otel_stdlib.handlers.postgres.partitions import is_in_reach, time_of
from otel_stdlib.handlers.postgres.pieces import pieces
from otel_stdlib.handlers.postgres.prepare import Layout, prepare
from otel_stdlib.handlers.postgres.schema import MOVED, OffsetsSql
from otel_stdlib.handlers.postgres.sequence import advice
from otel_stdlib.handlers.postgres.session import READ_ONLY, Session, SqlError, begin_sql
from otel_stdlib.handlers.postgres.stream import RowStream
from otel_stdlib.handlers.postgres.upkeep import keep_up
from otel_stdlib.spool.frame import Frame

__all__ = ["PostgresDestination"]

#: Seconds between rounds of upkeep, and after one that has to be tried again.
_UPKEEP = 3_600.0
_UPKEEP_AGAIN = 60.0
#: In a batch's memo, which its halves inherit: the server refused a row as it was; so many records at most in
#: one transaction, as more took the server too long.
_CAREFUL, _PIECE = "postgres.careful", "postgres.piece"
#: How many times smaller a piece is than the one that took too long.
_SMALLER = 4
#: SQLSTATE of a table that is not there.
_GONE = "42P01"


class PostgresDestination:
    """Stores batches in one table. Used by one delivery thread, as ``Destination`` says.

    Args:
        options: checked options.
        name: for reports.
        clock: seconds for upkeep, monotonic.
        now_ns: nanoseconds since 1970, for partitions and retention.
    """

    def __init__(
        self,
        options: PostgresOptions,
        *,
        name: str = "postgres",
        clock: Clock = monotonic,
        now_ns: Callable[[], int] = wall_ns,
    ) -> None:
        self.name = name
        self.keeps_position = self.renders_tables = True
        self.identity = identity_of(options)
        #: Called inside ``deliver`` when the server has a batch's rows and works on them.
        self.meanwhile: Callable[[], None] = do_nothing
        self._options = options
        self._clock = clock
        self._now_ns = now_ns
        self._offsets = OffsetsSql(options.table)
        self._begin_sql = f"{begin_sql(options)}; {self._offsets.insert}; {self._offsets.lock}"
        self._fence_sql = f"{begin_sql(options)}; {self._offsets.fence}"
        self._session: Session | None = None
        self._layout: Layout | None = None
        self._origins = Origins()
        self._hosts = Hosts(clock)
        self._next_upkeep = 0.0
        #: The mark of a transaction whose connection was lost before its end: it may hold its locks for long.
        self._orphaned: int | None = None

    def open(self) -> None:
        """Connect where there is no connection, and look at the table where it is not known."""
        try:
            self._ready()
        except SqlError as error:
            raise self._failed(error) from None

    def _ready(self) -> tuple[Session, Layout]:
        session = self._connected()
        if self._layout is None:
            self._layout = prepare(session, self._options)
            self._origins.clear()
        if self._clock() >= self._next_upkeep:
            self._next_upkeep = self._clock() + _UPKEEP_AGAIN
            if keep_up(session, self._options, self._layout, time_of(self._now_ns())):
                self._next_upkeep = self._clock() + _UPKEEP
        return session, self._layout

    def _connected(self) -> Session:
        if self._session is not None and (self._session.closed or self._session.is_spent):
            self._drop()
        return self._session or self._connect()

    def _connect(self) -> Session:
        self._session = session = slots.connect(self._options, self.identity.key, self._hosts)
        if self._orphaned is not None:
            session.end_orphan(self._orphaned)
            self._orphaned = None
        return session

    def position(self, origin: Origin) -> int | None:
        """The offset of a spool; None: none is kept."""
        try:
            rows = self._ready()[0].execute(self._offsets.read, (origin.key,))
        except SqlError as error:
            raise self._failed(error) from None
        return int(rows[0][0]) if rows else None

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Store what of a batch is not stored yet, all of it or nothing."""
        if _CAREFUL not in batch.memo:
            try:
                return self._deliver(batch, careful=False)
            except PermanentError:
                # Perhaps the table has changed: it is looked at again, once for a batch and its halves.
                # Perhaps a line that another formatter wrote: it can be repaired.
                self._layout = None
                batch.memo[_CAREFUL] = True
        return self._deliver(batch, careful=True)

    def try_out(self, batch: Batch) -> Outcome:
        """Store one record in a transaction that is rolled back."""
        stream: RowStream | None = None
        try:
            session, layout = self._ready()
            self._origins.add(batch.origin, layout.shape)
            stream = self._origins.stream(batch.origin, batch.frames, careful=True, at_end=self.meanwhile)
            session.try_out(begin_sql(self._options), layout.copy_sql, stream)
        except SqlError as error:
            failed = self._refused(error, stream, batch)
            if isinstance(failed, RetryableError):
                raise failed from None
            return Outcome(Verdict.REJECTED, str(failed))
        return STORED

    def preview(self, origin: Origin, frames: Sequence[Frame]) -> None:
        """Make the first rows of the next batch, for which the server would wait."""
        self._origins.preview(origin, frames)

    def _deliver(self, batch: Batch, *, careful: bool) -> Sequence[Outcome] | None:
        size = batch.memo.get(_PIECE)
        if not isinstance(size, int) or size >= len(batch.frames):
            return self._store(batch, batch.memo, careful=careful)
        outcomes: list[Outcome] = []
        for piece in pieces(batch, size):
            outcomes += self._store(piece, batch.memo, careful=careful) or [STORED] * len(piece.frames)
        return outcomes

    def _store(self, batch: Batch, memo: dict[str, object], *, careful: bool) -> Sequence[Outcome] | None:
        """One transaction. One that took too long is noted in ``memo``, and smaller ones come next."""
        stream: RowStream | None = None
        try:
            session, layout = self._ready()
            origins, origin = self._origins, batch.origin
            origins.add(origin, layout.shape)
            if origin in origins.placed:
                stream = origins.stream(origin, batch.frames, careful=careful, at_end=self.meanwhile)
                if self._store_at_once(session, layout, batch, stream):
                    return None
            stored = self._begin(session, batch)
            if stored >= batch.end:
                session.rollback()
                return [DUPLICATE] * len(batch.frames)
            fresh = [frame for frame in batch.frames if frame.lsn >= stored]
            if fresh:
                stream = origins.stream(origin, fresh, careful=careful, at_end=self.meanwhile)
                session.copy(layout.copy_sql, stream)
            session.commit(self._offsets.update, (batch.end, batch.origin.key))
            origins.placed.add(origin)
        except SqlError as error:
            # A wait for the table's lock ends before the first read, and is not the batch's fault.
            if stream is not None and stream.begun and stream.error is None and error.too_slow:
                memo[_PIECE] = max(1, len(batch.frames) // _SMALLER)
            raise self._refused(error, stream, batch) from None
        if len(fresh) == len(batch.frames):
            return None
        return [STORED if frame.lsn >= stored else DUPLICATE for frame in batch.frames]

    def _store_at_once(self, session: Session, layout: Layout, batch: Batch, stream: RowStream) -> bool:
        """Store a whole batch by one message; false when its spool's offset is not what it should be."""
        key = batch.origin.key
        fence = (self._fence_sql, (session.mark, key, batch.frames[0].lsn))
        try:
            session.store(fence, layout.copy_sql, stream, (self._offsets.update, (batch.end, key)))
        except SqlError as error:
            if stream.begun or error.failure.sqlstate != MOVED:
                raise
            session.rollback()
            self._origins.placed.discard(batch.origin)
            return False
        return True

    def _begin(self, session: Session, batch: Batch) -> int:
        """Begin a transaction and lock the spool's offset row, made where there is none; its offset."""
        spool_id = batch.origin.key
        session.in_transaction = True
        rows = session.execute(self._begin_sql, (spool_id, batch.start, session.mark, spool_id))
        if not rows:  # another one deleted it between two statements, or a policy hides it
            session.rollback()
            self._layout = None
            raise RetryableError("the spool's offset row went away")
        return int(rows[0][0])

    def _refused(self, error: SqlError, stream: RowStream | None, batch: Batch) -> DeliveryError:
        """What to raise for a batch that was not stored.

        A missing partition is the table's state, and its records wait for it. Times that no
        partition will ever be made for are their records' own fault; a batch of both is halved.
        """
        layout = self._layout
        failed = self._failed(error, stream)
        if error.failure.no_partition is None:
            return self._blamed(error, failed, layout)
        self._next_upkeep = 0.0  # perhaps it is ours to make
        now = time_of(self._now_ns())
        if all(is_in_reach(time_of(frame.time_ns), now) for frame in batch.frames):
            return failed
        return PermanentError(str(failed))

    def _blamed(self, error: SqlError, failed: DeliveryError, layout: Layout | None) -> DeliveryError:
        """``failed``, unless a value that the server chose is at fault: then every record waits."""
        if self._session is None or layout is None or not isinstance(failed, PermanentError):
            return failed
        try:
            found = advice(self._session, error.failure, self._options.table, layout.shape.written)
        except SqlError as another:
            return self._failed(another)
        return failed if found is None else RetryableError(f"{failed}; {found}")

    def _failed(self, error: SqlError, stream: RowStream | None = None) -> DeliveryError:
        """Tidy up after an error; what to raise."""
        session = self._session
        if session is not None:
            if not error.lost:
                session.rollback()
            # A read-only server was the primary before a failover: the next connection may lead elsewhere.
            if error.lost or session.closed or error.failure.sqlstate == READ_ONLY:
                self._orphaned = session.mark if session.in_transaction else self._orphaned
                self._drop()
        found = error.classified(in_rows=stream is not None and stream.begun)
        if is_stale(error.failure.sqlstate):
            gone = error.failure.sqlstate == _GONE and isinstance(found, RetryableError)
            if gone and self._layout is not None and self._options.create_table:  # else it is waited for
                say(f"postgres-gone:{self.identity.key}", f"PostgreSQL: {found}")
            self._layout = None
        if stream is not None and stream.error is not None:
            return PermanentError(f"a record cannot be read: {stream.error}")
        return found

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
            slots.release(self.identity.key)

    def probe(self) -> None:
        """Whether the server answers and can be written to."""
        try:
            read_only = self._connected().is_read_only()
        except SqlError as error:
            raise self._failed(error) from None
        if read_only:
            self._drop()
            raise RetryableError("the server is read-only")

    def forget(self, origin: Origin) -> None:
        """Delete the offset row of a spool that is gone. A failure leaves a row that upkeep deletes later."""
        self._origins.forget(origin)
        try:
            self._ready()[0].execute(self._offsets.delete, (origin.key,))
        except SqlError as error:
            self._failed(error)
        except RetryableError:
            pass

    def close(self) -> None:
        """Release the connection. Never raises, never waits."""
        self._origins.clear()
        self._drop()
