"""A source on a list and a destination that answers by a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from otel_stdlib.delivery.contract import Batch, Origin, Outcome, Verdict
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.worker import DestinationWorker
from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.frame import Frame
from otel_stdlib.spool.reader import Chunk

ORIGIN = Origin("01M891H8K4024506H6KDTPBNRN", b'{"service.name":"tests"}')
STORED = Outcome(Verdict.STORED)


def frame(number: int) -> Frame:
    """A frame whose LSN is its number, from 1."""
    return Frame(number, 1_700_000_000_000_000_000 + number, 20, 9, b'{"body":"%d","attributes":{' % number)


class ListSource:
    """A source on a list; ``add`` makes it grow."""

    def __init__(self, count: int = 0, *, live: bool = True, origin: Origin = ORIGIN) -> None:
        self.origin = origin
        self.live = live
        self.frames = [frame(n) for n in range(1, count + 1)]
        self.saved = 1
        self.closed = False

    def add(self, count: int) -> None:
        """More records."""
        self.frames += [frame(n) for n in range(len(self.frames) + 1, len(self.frames) + count + 1)]

    def head(self) -> int:
        """Behind the last one."""
        return len(self.frames) + 1

    def load_cursor(self) -> int:
        """What was saved."""
        return self.saved

    def save_cursor(self, lsn: int) -> None:
        """Save; never back."""
        assert lsn >= self.saved, "a cursor never goes back"
        self.saved = lsn

    def read(self, start: int, max_records: int, max_bytes: int) -> Chunk:
        """A piece of the list."""
        found = self.frames[start - 1 : start - 1 + max_records]
        return Chunk(found, start + len(found), 0)

    def oldest_time_ns(self, start: int) -> int | None:
        """The time of the next one."""
        return self.frames[start - 1].time_ns if start <= len(self.frames) else None

    def close(self) -> None:
        """Note it."""
        self.closed = True


Answer = Callable[[Batch], "Sequence[Outcome] | None"]


class Scripted:
    """A destination that keeps what it stored and asks ``answer`` for each batch."""

    def __init__(self, answer: Answer | None = None, *, name: str = "scripted") -> None:
        self.name = name
        self.identity = Identity("test", "scripted")
        self.answer = answer or (lambda _: None)
        self.stored: Counter[int] = Counter()
        self.order: list[int] = []
        self.batches: list[Batch] = []
        self.calls: list[str] = []
        self.open_error: Exception | None = None
        self.probe_error: Exception | None = None
        self.known: int | None = None
        self.forgotten: list[Origin] = []

    def open(self) -> None:
        """Note it, or fail."""
        self.calls.append("open")
        if self.open_error is not None:
            raise self.open_error

    def position(self, origin: Origin) -> int | None:
        """What the script says."""
        self.calls.append("position")
        return self.known

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Answer by the script and keep what it stores."""
        self.batches.append(batch)
        outcomes = self.answer(batch)
        for index, each in enumerate(batch.frames):
            if outcomes is None or outcomes[index].verdict is Verdict.STORED:
                self.keep(each)
        return outcomes

    def keep(self, each: Frame) -> None:
        """Store one."""
        self.stored[each.lsn] += 1
        self.order.append(each.lsn)

    def probe(self) -> None:
        """Note it, or fail."""
        self.calls.append("probe")
        if self.probe_error is not None:
            raise self.probe_error

    def forget(self, origin: Origin) -> None:
        """Note it."""
        self.forgotten.append(origin)

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")


QUICK = DeliveryPolicy(
    batch_records=10,
    retry_delay=0.001,
    max_retry_delay=0.01,
    circuit_breaker_timeout=0.01,
    poll_interval=0.005,
    health_check_interval=0.01,
)
RETRY = Outcome(Verdict.RETRY, "busy")
REJECTED = Outcome(Verdict.REJECTED, "bad")

WORKERS: list[DestinationWorker] = []


def make(
    destination: Scripted, *sources: ListSource, policy: DeliveryPolicy = QUICK, **more: object
) -> DestinationWorker:
    """A running worker."""
    letters = DeadLetterFile(None, Identity("test", "x"))
    worker = DestinationWorker(destination, policy, dead_letters=letters, **more)  # type: ignore[arg-type]
    worker.letters = letters  # type: ignore[attr-defined]
    for source in sources:
        worker.add_source(source)
    worker.start()
    WORKERS.append(worker)
    return worker


def dead(worker: DestinationWorker) -> list[str]:
    """The bodies of a worker's dead letters."""
    return [letter["record"]["body"] for letter in worker.letters.read()]  # type: ignore[attr-defined]
