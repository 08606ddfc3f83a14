"""Storing batches in Elasticsearch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from otel_stdlib.delivery.contract import STORED, Batch, Origin, Outcome, Verdict
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.elasticsearch.document import BulkWriter
from otel_stdlib.handlers.elasticsearch.installer import install_template
from otel_stdlib.handlers.elasticsearch.lookup import stored_ids
from otel_stdlib.handlers.elasticsearch.options import ElasticsearchOptions
from otel_stdlib.handlers.elasticsearch.outcome import INDEX, refusal
from otel_stdlib.handlers.elasticsearch.pace import Pace
from otel_stdlib.handlers.elasticsearch.sender import BulkSender
from otel_stdlib.handlers.elasticsearch.wire import UnknownOutcome, Wire
from otel_stdlib.handlers.parallel import merge_answers, run_together
from otel_stdlib.handlers.renewal import with_new_secrets
from otel_stdlib.spool.frame import Frame

__all__ = ["ElasticsearchDestination", "identity_of"]

_NAMES = "elasticsearch.names"
_UNKNOWN = "elasticsearch.unknown"
_DUPLICATE = Outcome(Verdict.DUPLICATE, "found in the data stream")

_Part = tuple[Sequence[Frame], list[str], list[bytes]]


def identity_of(options: ElasticsearchOptions) -> Identity:
    """The cluster, without credentials, and where in it records go."""
    return Identity("elasticsearch", f"{','.join(sorted(options.hosts))}/{options.naming.pattern}")


class ElasticsearchDestination:
    """Stores each record once, under its uid. See ``Destination`` for the contract.

    ``create`` with an ``_id`` of our own is refused (409) where the record is already, so a
    batch whose answer was lost is simply sent again. That holds within one index. In a data
    stream a rollover between the tries would hide the first copy: there, records whose
    outcome is unknown are looked up in the whole stream before they are sent again.

    Args:
        options: see ``ElasticsearchOptions``.
        name: for messages and thread names.
        counters: see ``BulkSender``.
    """

    def __init__(
        self, options: ElasticsearchOptions, name: str = "elasticsearch", *, counters: Counters | None = None
    ) -> None:
        self.name = name
        self.identity = identity_of(options)
        self.counters = counters or Counters()
        self._options = options
        self._writer = BulkWriter(
            options.naming, options.mapping, logsdb=options.logsdb, counters=self.counters
        )
        self._pace = Pace(options.batch_bytes, options.max_workers)
        self._wire: Wire | None = None
        self._sender: BulkSender | None = None
        #: What was done about the template; None: nothing yet.
        self.template: str | None = None
        #: Origins of which a batch was stored here: a dead process's last batch can no longer be among what is sent.
        self._begun: set[str] = set()

    # -- the contract ------------------------------------------------------------------

    def open(self) -> None:
        """Make the client and the template. Cheap after the first time."""
        wire = self._connected()
        if self.template is None:
            if self._options.template is False:
                self.probe()
                self.template = "off"
            else:
                self.template = install_template(wire, self._options)

    def _connected(self) -> Wire:
        """The client, with the credentials of now: the ones of before may have been refused."""
        options = with_new_secrets(self._options, identity_of)
        if self._wire is None:
            self._wire = Wire(options)
            self._sender = BulkSender(self._wire, self._pace, self.counters, self.name)
        elif options is not self._options:
            self._wire.use(options)
        self._options = options
        return self._wire

    def position(self, origin: Origin) -> int | None:
        """None: only the documents themselves know."""
        return None

    def probe(self) -> None:
        """Ask whether the server answers and knows us."""
        wire = self._connected()
        reply = wire.request("HEAD", "/")
        if reply.status == 400:
            reply = wire.request("GET", "/")  # the answer to HEAD has no reason
        # 403: alive, and we may not ask; a key that can only create documents is enough to deliver.
        if reply.status not in (200, 403):
            error = refusal(reply.status, reply.headers, reply.body, wire.where)
            raise error if isinstance(error, RetryableError) else RetryableError(str(error))

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Store a batch in as many requests at once as ``max_workers`` and the server allow."""
        if self._sender is None:
            self.open()
        names = self._names(batch)
        found = self._find_stored(batch)
        frames, names = _without(batch.frames, names, batch, found)
        parts = self._parts(frames, names, batch.origin)
        results = run_together([partial(self._send, part) for part in parts], self._pace.workers, self.name)
        outcomes = self._collect(batch, parts, results)
        if outcomes is None or any(outcome.verdict is not Verdict.RETRY for outcome in outcomes):
            self._begun.add(batch.origin.spool_id)
        if not found:
            return outcomes
        rest = iter(outcomes if outcomes is not None else [STORED] * len(frames))
        return [_DUPLICATE if batch.uid(frame) in found else next(rest) for frame in batch.frames]

    def forget(self, origin: Origin) -> None:
        """Drop what is remembered of an origin."""
        self._begun.discard(origin.spool_id)

    def close(self) -> None:
        """Close the connections; nothing is sent."""
        wire, self._wire, self._sender = self._wire, None, None
        if wire is not None:
            try:
                wire.close()
            except Exception:
                # A connection that does not close in an orderly way is closed all the same.
                return

    # -- how ---------------------------------------------------------------------------

    def _names(self, batch: Batch) -> list[str]:
        """The index of each frame: the one it went to first."""
        kept = batch.memo.get(_NAMES)
        if isinstance(kept, dict):
            return [kept.get(frame.lsn) or self._writer.name(frame, batch.origin) for frame in batch.frames]
        return [self._writer.name(frame, batch.origin) for frame in batch.frames]

    def _find_stored(self, batch: Batch) -> frozenset[str]:
        """The uids of a batch that a data stream has already, where an earlier try may have stored some."""
        if not self._options.naming.is_stream or self._wire is None:
            return frozenset()
        unknown = batch.memo.get(_UNKNOWN)
        if isinstance(unknown, set):
            asked = [batch.uid(frame) for frame in batch.frames if frame.lsn in unknown]
        elif batch.origin.spool_id not in self._begun:
            asked = [batch.uid(frame) for frame in batch.frames]
        else:
            return frozenset()
        return stored_ids(self._wire, self._options.naming.pattern, asked) if asked else frozenset()

    def _parts(self, frames: Sequence[Frame], names: list[str], origin: Origin) -> list[_Part]:
        """Requests of at most ``batch_records`` records and the bytes that the server takes."""
        most_bytes, most_records = self._pace.bytes, self._options.batch_records
        items = self._writer.items(frames, origin, names)
        parts: list[_Part] = []
        start = size = 0
        for number, item in enumerate(items):
            if number > start and (size + len(item) > most_bytes or number - start >= most_records):
                parts.append((frames[start:number], names[start:number], items[start:number]))
                start, size = number, 0
            size += len(item)
        if items:
            parts.append((frames[start:], names[start:], items[start:]))
        return parts

    def _send(self, part: _Part) -> list[Outcome] | None:
        if self._sender is None:
            raise RetryableError("the destination is closed")
        outcomes = self._sender.send(part[2])
        if outcomes is None:
            return None
        return [
            outcome._replace(where=name) if outcome.where == INDEX else outcome
            for outcome, name in zip(outcomes, part[1], strict=True)
        ]

    def _collect(
        self, batch: Batch, parts: list[_Part], results: Sequence[list[Outcome] | Exception | None]
    ) -> list[Outcome] | None:
        """One answer from those of the parts.

        Raises:
            DeliveryError: all of it failed, or there is only one part.
        """
        for part, result in zip(parts, results, strict=True):
            if isinstance(result, Exception):
                self._remember(batch, part, unknown=isinstance(result, UnknownOutcome))
        return merge_answers(
            results, [len(part[0]) for part in parts], lambda error: Outcome(Verdict.RETRY, str(error))
        )

    def _remember(self, batch: Batch, part: _Part, *, unknown: bool) -> None:
        names = batch.memo.setdefault(_NAMES, {})
        if isinstance(names, dict):
            names.update((frame.lsn, name) for frame, name in zip(part[0], part[1], strict=True))
        if unknown:
            lsns = batch.memo.setdefault(_UNKNOWN, set())
            if isinstance(lsns, set):
                lsns.update(frame.lsn for frame in part[0])


def _without(
    frames: Sequence[Frame], names: list[str], batch: Batch, found: frozenset[str]
) -> tuple[Sequence[Frame], list[str]]:
    if not found:
        return frames, names
    kept = [(frame, name) for frame, name in zip(frames, names, strict=True) if batch.uid(frame) not in found]
    return [frame for frame, _ in kept], [name for _, name in kept]
