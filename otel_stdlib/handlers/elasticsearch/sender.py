"""One bulk request, split where it is too large."""

from __future__ import annotations

from collections.abc import Sequence

from otel_stdlib.delivery.contract import STORED, Outcome, Verdict
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.handlers.elasticsearch.outcome import Answered, read_items, refusal
from otel_stdlib.handlers.elasticsearch.pace import Pace
from otel_stdlib.handlers.elasticsearch.wire import UnknownOutcome, Wire

__all__ = ["BulkSender"]

# Statuses and errors only: a tenth of the answer's bytes.
_BULK = "/_bulk?filter_path=errors,items.*.status,items.*.error,items.*.failure_store"


class BulkSender:
    """Sends items and reads what became of them. Any thread may call it.

    Args:
        counters: gets ``failure_store`` (records stored, but in the failure store), ``pipeline_dropped``
            (records that an ingest pipeline dropped),
            ``requests``, ``split`` (requests that were too large) and ``pressed`` (429s).
    """

    def __init__(self, wire: Wire, pace: Pace, counters: Counters, name: str) -> None:
        self._wire = wire
        self._pace = pace
        self._counters = counters
        self._name = name
        # The server gives up on a shard before we give up on the server: its answer names the records.
        self._target = f"{_BULK}&timeout={max(1, int(wire.timeout * 500))}ms"

    def send(self, items: Sequence[bytes]) -> list[Outcome] | None:
        """Store items; an outcome for each, None when every one is stored.

        Raises:
            UnknownOutcome: no answer came.
            RetryableError: the request was turned away.
            PermanentError: the request as a whole can never be taken.
        """
        body = b"".join(items)
        try:
            reply = self._wire.request("POST", self._target, body, ndjson=True)
        except UnknownOutcome:
            self._pace.unanswered(len(body))
            raise
        self._counters.add("requests")
        if reply.status == 413:
            return self._split(items, len(body))
        if reply.status != 200:
            error = refusal(reply.status, reply.headers, reply.body, self._wire.where)
            if reply.status in (429, 503):
                self._press()
            if reply.status >= 500:
                # A gateway may have passed the request on before it gave up.
                raise UnknownOutcome(str(error)) from error
            raise error
        answered = read_items(reply.body, len(items))
        if answered.pressed:
            self._press()
        else:
            self._pace.well()
        self._report(answered)
        return answered.outcomes

    def _press(self) -> None:
        self._counters.add("pressed")
        self._pace.pressed()

    def _report(self, answered: Answered) -> None:
        if answered.failed_over:
            self._counters.add("failure_store", answered.failed_over)
            say(
                f"elasticsearch-failure-store:{self._name}",
                f"{self._name}: {answered.failed_over} records do not fit the mapping and went to Elasticsearch's "
                "failure store",
            )
        if answered.dropped:
            self._counters.add("pipeline_dropped", answered.dropped)
            say(
                f"elasticsearch-dropped:{self._name}",
                f"{self._name}: an ingest pipeline of Elasticsearch's dropped {answered.dropped} records",
            )
        if answered.alarm:
            self._counters.add("alarms")
            say(
                f"elasticsearch-alarm:{self._name}",
                f"{self._name}: records wait until this is repaired: {answered.alarm}",
            )

    def _split(self, items: Sequence[bytes], size: int) -> list[Outcome] | None:
        if len(items) == 1:
            reason = (
                f"413 a document of {size} bytes is larger than the server takes (http.max_content_length)"
            )
            return [Outcome(Verdict.REJECTED, reason)]
        self._counters.add("split")
        self._pace.too_large(size)
        middle = len(items) // 2
        halves = (items[:middle], items[middle:])
        outcomes = [(self.send(half), len(half)) for half in halves]
        if all(found is None for found, _ in outcomes):
            return None
        return [outcome for found, count in outcomes for outcome in found or [STORED] * count]
