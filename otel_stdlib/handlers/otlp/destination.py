"""Sending batches to an OTLP server."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from otel_stdlib.delivery.abilities import do_nothing
from otel_stdlib.delivery.contract import STORED, Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.retry import asked_pause
from otel_stdlib.facts.clock import Clock, monotonic
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.diagnostics import say
from otel_stdlib.facts.errors import DeliveryError, PermanentError, RetryableError, ThrottledError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.otlp.body import JSON, PROTOBUF, Encoder
from otel_stdlib.handlers.otlp.exchange import Exchange, HTTPExchange, RefusedError, TooLargeError
from otel_stdlib.handlers.otlp.options import GRPC, OTLPOptions
from otel_stdlib.handlers.otlp.outcome import Partial
from otel_stdlib.handlers.otlp.size import RequestSize
from otel_stdlib.handlers.otlp.wire import UnknownOutcome
from otel_stdlib.handlers.parallel import merge_answers, run_together
from otel_stdlib.handlers.renewal import with_new_secrets
from otel_stdlib.spool.frame import Frame, lsns_of

__all__ = ["OTLPDestination", "identity_of"]

#: The header by which servers of several tenants tell them apart: a name, not a secret.
_TENANT = "x-scope-orgid"


def identity_of(options: OTLPOptions) -> Identity:
    """The endpoint, without credentials, and the tenant where a header names one."""
    tenant = options.sent_headers.get(_TENANT)
    return Identity("otlp", options.url if tenant is None else f"{options.url}#{tenant}")


class _Split(Exception):
    """A request with these records was too large for somebody; its size in bytes."""

    def __init__(self, size: int, frames: Sequence[Frame], reason: str) -> None:
        super().__init__(reason)
        self.size = size
        self.frames = frames


class OTLPDestination:
    """Sends each record at least once, with its uid. See ``Destination`` for the contract.

    OTLP has no means to refuse a record that it has already: after a lost answer the same
    records are sent again, with the same ``log.record.uid``. How many that were is counted.

    Args:
        options: see ``OTLPOptions``.
        name: for messages.
        counters: gets ``requests``, ``split``, ``unknown`` (records whose request got no answer),
            ``rejected_in_part`` (records that the server took a request without, nobody knows which),
            ``warnings`` and ``unreadable`` (answers).
        clock: monotonic seconds.
    """

    def __init__(
        self,
        options: OTLPOptions,
        name: str = "otlp",
        *,
        counters: Counters | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self.name = name
        self.identity = identity_of(options)
        self.counters = counters or Counters()
        #: Protobuf is made from tables: see ``compiled.py``.
        self.renders_tables = options.protocol != "http/json"
        self._options = options
        self._clock = clock
        #: Called inside ``deliver`` when the server works on the last of a batch: see ``WithMeanwhile``.
        self.meanwhile: Callable[[], None] = do_nothing
        self._exchange: Exchange | None = None
        self._encoder: Encoder | None = None
        self._size = RequestSize(options.max_request_bytes, clock)
        #: Until when a server that took a part of a batch asked for a pause.
        self._not_before = 0.0

    # -- the contract ------------------------------------------------------------------

    def open(self) -> None:
        """Make the client; it connects with the first request."""
        self._renewed_client().open()

    def position(self, origin: Origin) -> int | None:
        """None: an OTLP server cannot be asked."""
        return None

    def probe(self) -> None:
        """Ask whether something answers."""
        self._renewed_client().probe()

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Send a batch in requests of ``batch_records``, ``max_workers`` of them at once."""
        pause = self._not_before - self._clock()
        if pause > 0:
            raise ThrottledError("the server asked for a pause", pause)
        self._client().open()
        self._requests()
        step = self._options.batch_records
        parts = [batch.frames[start : start + step] for start in range(0, len(batch.frames), step)]
        if len(parts) == 1:
            return self._deliver_part(batch.origin, parts[0])
        stop: list[RetryableError] = []
        jobs = [partial(self._deliver_next, batch.origin, part, stop) for part in parts]
        answers = run_together(jobs, self._options.max_workers, self.name, self.meanwhile)
        return merge_answers(answers, [len(part) for part in parts], self._later)

    def forget(self, origin: Origin) -> None:
        """Nothing is kept for an origin."""

    def close(self) -> None:
        """Close the connection; nothing is sent."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            try:
                exchange.close()
            except Exception:
                return  # a connection that does not close in an orderly way is closed all the same

    # -- how ---------------------------------------------------------------------------

    def _renewed_client(self) -> Exchange:
        """The client, with the secrets of now: the ones of before may have been refused."""
        options = with_new_secrets(self._options, identity_of)
        if options is not self._options:
            self._options = options
            if self._exchange is not None:
                self._exchange.use(options)
        return self._client()

    def _client(self) -> Exchange:
        if self._exchange is None:
            if self._options.protocol == GRPC:
                from otel_stdlib.handlers.otlp.channel import GRPCExchange

                self._exchange = GRPCExchange(self._options, self.counters)
            else:
                self._exchange = HTTPExchange(self._options, self.counters)
        return self._exchange

    def _requests(self) -> Encoder:
        # Made with the first batch: the messages' modules take a while to import.
        if self._encoder is None:
            self._encoder = Encoder(JSON if self._options.protocol == "http/json" else PROTOBUF)
        return self._encoder

    def _deliver_next(
        self, origin: Origin, frames: Sequence[Frame], stop: list[RetryableError]
    ) -> list[Outcome] | None:
        """Send one of several parts, unless another one found that the server takes nothing now."""
        if stop:
            raise RetryableError(str(stop[0]))
        try:
            return self._deliver_part(origin, frames)
        except RetryableError as error:
            stop.append(error)
            raise

    def _deliver_part(self, origin: Origin, frames: Sequence[Frame]) -> list[Outcome] | None:
        """Send records in one request, or in as many as their size needs.

        Raises:
            DeliveryError: none of them was settled.
        """
        found: dict[int, Outcome] = {}
        parts: deque[Sequence[Frame]] = deque([frames])
        while parts:
            part = parts.popleft()
            try:
                self._send(origin, part, found)
            except _Split as split:
                if len(split.frames) == 1:
                    found[split.frames[0].lsn] = Outcome(Verdict.REJECTED, str(split))
                    continue
                self.counters.add("split")
                parts.extendleft(reversed(_cut(split.frames, split.size, self._size.most)))
            except DeliveryError as error:
                left = [each for each in frames if each.lsn not in found]
                if len(left) == len(frames):
                    raise
                again = self._later(error)
                if isinstance(error, PermanentError):
                    found.update((frame.lsn, again) for frame in part if frame.lsn not in found)
                    continue  # sent again alone it is a batch refused whole, and is halved
                found.update((frame.lsn, again) for frame in left)
                break
        if all(outcome is STORED for outcome in found.values()):
            return None
        return [found[frame.lsn] for frame in frames]

    def _later(self, error: DeliveryError) -> Outcome:
        """The outcome of records that are to come again although others of their batch are settled."""
        if isinstance(error, ThrottledError):
            self._not_before = self._clock() + asked_pause(error.retry_after)
        return Outcome(Verdict.RETRY, str(error))

    def _send(self, origin: Origin, frames: Sequence[Frame], found: dict[int, Outcome]) -> None:
        """Send records in one request; ``found`` gets what became of them.

        Raises:
            _Split: they are too large.
            RetryableError: they are to be sent again.
            PermanentError: the request was refused as it is.
        """
        body, frames, damaged = self._requests().encode(origin, frames)
        found.update((lsn, Outcome(Verdict.REJECTED, reason)) for lsn, reason in damaged.items())
        if not frames:
            return
        most = self._size.most if len(frames) > 1 else self._size.alone
        if len(body) > most:
            raise _Split(len(body), frames, f"the record is larger than {most} bytes as a request")
        try:
            answer = self._client().send(body, self._requests().content_type)
        except UnknownOutcome as error:
            self.counters.add("unknown", len(frames))
            if error.cut and len(frames) > 1:
                self._size.cut(len(body))
            raise
        except TooLargeError as error:
            if len(frames) > 1:
                self._size.refused(len(body))
            raise _Split(len(body), frames, str(error)) from error
        except RefusedError as error:
            outcome = Outcome(Verdict.REJECTED, str(error))
        else:
            outcome = self._accepted(answer, len(frames))
        found.update(dict.fromkeys(lsns_of(frames), outcome))

    def _accepted(self, answer: Partial, count: int) -> Outcome:
        if not answer.readable:
            self.counters.add("unreadable")
            self._say("unreadable", "the answer is not OTLP's; it is taken at its status")
        elif answer.rejected > 0:
            return self._rejected(answer, count)
        elif answer.message:
            self.counters.add("warnings")
            self._say("warning", f"the server took the records and warns: {answer.message}")
        return STORED

    def _rejected(self, answer: Partial, count: int) -> Outcome:
        reason = answer.message or "no reason given"
        if answer.rejected >= count:
            return Outcome(Verdict.REJECTED, f"partial success: all of the request rejected: {reason}")
        # Which ones is not said, and OTLP forbids to send the request again.
        self.counters.add("rejected_in_part", answer.rejected)
        text = f"the server took a request of {count} records and rejected {answer.rejected} of them for good: {reason}"
        self._say("partial", text)
        return STORED

    def _say(self, what: str, text: str) -> None:
        say(f"otlp-{what}:{self.name}", f"{self.name}: {text}")


def _cut(frames: Sequence[Frame], size: int, most: int) -> list[Sequence[Frame]]:
    """Records whose request has ``size`` bytes, in even parts that are likely to have at most ``most``."""
    count = min(len(frames), max(2, math.ceil(size / most)))
    step = math.ceil(len(frames) / count)
    return [frames[start : start + step] for start in range(0, len(frames), step)]
