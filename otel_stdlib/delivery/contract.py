"""What a destination is, and what passes between it and its delivery thread.

A destination stores batches of frames. It runs on one delivery thread, never on the
application's, and answers for every record: stored, duplicate, retry or rejected. The
delivery thread owns time, retries, the breaker and the cursor; a destination owns only the wire.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk

__all__ = [
    "DUPLICATE",
    "STORED",
    "Batch",
    "Destination",
    "Origin",
    "Outcome",
    "Source",
    "Verdict",
    "make_uid",
]


@dataclass(frozen=True)
class Origin:
    """The spool that a batch comes from: this process's own or a dead one's."""

    #: 26 characters of Crockford base 32: a ULID.
    spool_id: str
    #: The resource of the process that logged, one JSON object in UTF-8.
    resource: bytes
    #: Who sends the records apart from their spool, not in its order: each such sender has a position of
    #: its own, or one would skip what only another one's position says is there. "": the spool's own.
    apart: str = ""

    @property
    def key(self) -> str:
        """What a destination keeps its position under, 26 characters: the spool's id where it is one."""
        if not self.apart:
            return self.spool_id
        digest = hashlib.blake2b(f"{self.spool_id} {self.apart}".encode(), digest_size=13).hexdigest()
        return f"R{digest[:25].upper()}"


def make_uid(spool_id: str, lsn: int) -> str:
    """The ``log.record.uid`` of a record: unique for ever, ordered by time within a spool."""
    return f"{spool_id}-{lsn:014x}"


@dataclass
class Batch:
    """Frames of one origin in the order they were logged.

    ``start`` and ``end`` bound the stretch of the spool that the batch stands for, gaps
    included: when every frame is settled, the cursor moves from ``start`` to ``end``.
    """

    origin: Origin
    frames: Sequence[Frame]
    start: int
    end: int
    #: A destination may keep what must stay equal when the same batch is sent again,
    #: for example the index names it chose the first time.
    memo: dict[str, object] = field(default_factory=dict)

    def uid(self, frame: Frame) -> str:
        """The uid of one of its frames."""
        return make_uid(self.origin.spool_id, frame.lsn)


class Verdict(enum.Enum):
    """What became of one record."""

    STORED = "stored"
    #: An earlier try had stored it.
    DUPLICATE = "duplicate"
    #: Not stored; try again.
    RETRY = "retry"
    #: Never to be stored by this destination: it goes to the dead letters with the reason.
    REJECTED = "rejected"


class Outcome(NamedTuple):
    """The verdict on one record, with the server's reason where there is one."""

    verdict: Verdict
    reason: str = ""
    #: With ``RETRY``, the part of the target that the reason is about, such as an index: records for others need
    #: not wait. Only for a destination that takes records in any order. "": the target.
    where: str = ""


STORED = Outcome(Verdict.STORED)
DUPLICATE = Outcome(Verdict.DUPLICATE)


class Destination(Protocol):
    """Where batches go. All calls come from one delivery thread at a time.

    ``open`` is called before the first batch and again after any call raised
    ``RetryableError``; it is cheap when the connection still stands.

    What else it may be able to do is in ``otel_stdlib.delivery.abilities``.
    """

    name: str
    identity: Identity

    def open(self) -> None:
        """Connect and prepare the target.

        Raises:
            RetryableError: the target cannot be reached or prepared now.
        """

    def position(self, origin: Origin) -> int | None:
        """Up to which LSN the target itself knows this origin to be stored; None: it cannot tell.

        Asked once before an origin's first batch. A target that keeps this (a file's sidecar,
        an offset row) is the cursor; for others the spool's cursor file is.
        """

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Store a batch and answer for each frame in order; None: every one is stored.

        Raises:
            RetryableError: the outcome of the whole batch is unknown or a failure.
            PermanentError: the batch as a whole was refused for good. The delivery thread
                halves it to find the record at fault.
        """

    def probe(self) -> None:
        """A health check while the breaker is open.

        Raises:
            RetryableError: still not well.
        """

    def forget(self, origin: Origin) -> None:
        """The origin is wholly delivered and its spool is deleted: drop what is kept for it."""

    def close(self) -> None:
        """Release the connection. Called once, never raises, never waits over a second."""


class Source(Protocol):
    """One destination's view of one spool: its own cursor over the frames.

    Used by one delivery thread. ``live`` is true for the spool of this process, which grows;
    a dead process's spool is finished when the cursor reaches ``head()``.
    """

    origin: Origin
    live: bool

    def head(self) -> int:
        """The LSN below which every frame is committed."""

    def load_cursor(self) -> int:
        """The LSN from which to deliver, as kept in the spool; its start when nothing was kept."""

    def save_cursor(self, lsn: int) -> None:
        """Keep that everything below ``lsn`` is settled."""

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """Frames from ``start`` on, at least one where there is one, in order.

        Segments that the cap evicted are skipped: ``end`` then jumps. Never blocks.
        """

    def oldest_time_ns(self, start: int) -> int | None:
        """The event time of the first frame at or after ``start``: the age of what waits."""

    def close(self) -> None:
        """Release descriptors; the spool stays."""
