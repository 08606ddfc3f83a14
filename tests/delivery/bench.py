"""One destination without a thread: time passes only when told so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.delivery.attempt import Attempts
from otel_stdlib.delivery.contract import Batch, Outcome
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.delivery.lane import Lane
from otel_stdlib.delivery.policy import DeliveryPolicy
from otel_stdlib.delivery.status import Status
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import PermanentError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.spool.frame import Frame
from tests.delivery.parts import REJECTED, STORED, ListSource, Scripted


def each(bad: Callable[[Frame], bool]) -> Callable[[Batch], Sequence[Outcome]]:
    """An answer for each record."""
    return lambda batch: [REJECTED if bad(frame) else STORED for frame in batch.frames]


def whole(bad: Callable[[Frame], bool]) -> Callable[[Batch], None]:
    """An answer for the batch."""

    def answer(batch: Batch) -> None:
        if any(bad(frame) for frame in batch.frames):
            raise PermanentError("bad")

    return answer


class Keeping(Scripted):
    """Its target keeps a position, as a database does: what is stored out of order loses what lies before."""

    keeps_position = True

    def __init__(self, answer: Callable[[Batch], Sequence[Outcome] | None]) -> None:
        super().__init__(answer)
        self.end = 0
        self.tried: list[int] = []

    def keep(self, each: Frame) -> None:
        """Store one."""
        assert each.lsn > self.end
        self.end = each.lsn
        super().keep(each)

    def try_out(self, batch: Batch) -> Outcome:
        """The verdict alone."""
        (frame,) = batch.frames
        self.tried.append(frame.lsn)
        try:
            outcomes = self.answer(batch)
        except PermanentError:
            return REJECTED
        return STORED if outcomes is None else outcomes[0]


class Bench:
    """One destination, and time that passes only when told so."""

    def __init__(self, destination: Scripted, *sources: ListSource) -> None:
        self.now = 100.0
        self.policy = DeliveryPolicy(batch_records=20, retry_delay=1.0, max_retry_delay=60.0)
        self.letters = DeadLetterFile(None, Identity("test", "x"))
        self.status = Status(Counters())
        self.destination = destination
        self.server = Attempts(
            destination, self.policy, self.letters, self.status, None, clock=lambda: self.now
        )
        self.lanes = [Lane(source, self.policy, lambda: 1.0, None) for source in sources]

    def work(self) -> None:
        """Serve every source until none is due."""
        worked = True
        while worked:
            worked = sum(self.server.serve(lane, self.now) for lane in self.lanes) > 0

    def wait(self, seconds: float) -> None:
        """Let time pass, as a thread that looks every second."""
        for _ in range(int(seconds)):
            self.now += 1.0
            self.work()

    def dead(self) -> list[int]:
        """The dead letters."""
        return [int(letter["record"]["body"]) for letter in self.letters.read()]
