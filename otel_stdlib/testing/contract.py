"""What every back end has to do, as tests for pytest or unittest."""

from __future__ import annotations

import asyncio
import copy
import logging
import tempfile
import threading
import unittest
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from otel_stdlib.config.registry import find_backend
from otel_stdlib.delivery.contract import Outcome, Verdict
from otel_stdlib.facts.clock import wall_ns
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.secrets import is_secret_name
from otel_stdlib.handlers.base import DestinationHandler
from otel_stdlib.handlers.custom import BackendHandler
from otel_stdlib.queue.handler import OTelQueueHandler
from otel_stdlib.testing.checks import (
    EACH,
    PATIENCE,
    all_done,
    equal,
    expect_failure,
    log_numbered,
    once,
    settle_when_back,
    uid_of,
    uids_of,
)
from otel_stdlib.testing.samples import Stretch, hostile, settle

__all__ = ["BackendContract"]

_THREADS = 4


class BackendContract:
    """A suite for one back end.

    Derive, name the back end, and run pytest::

        class TestMine(BackendContract):
            backend = MyBackend

    With ``unittest``: ``class TestMine(BackendContract, unittest.TestCase)``. Attributes may also be set
    on ``self`` by a fixture or in ``setUp``. Without ``stored`` only the answers are looked at; with it, what
    is really there. What is not described (``outage``) is skipped.
    """

    #: The class: of ``LogBackendInterface``, ``BatchBackendInterface`` or a handler of this package. Or its name
    #: as a configuration has it.
    backend: Any = None
    #: Its options.
    config: Mapping[str, Any] = {}
    #: Whether a record that is delivered twice is there once. False allows a copy with the same uid.
    exactly_once = False

    def stored(self) -> Iterable[Mapping[str, Any]] | None:
        """Everything that is in the store, oldest first, each with ``body`` and ``attributes``.

        More than this suite stored may be there. None: it cannot be read.
        """
        return None

    def outage(self) -> AbstractContextManager[Any] | None:
        """A context in which the store cannot be reached. None: it cannot be broken."""
        return None

    # -- the tests -------------------------------------------------------------------------

    def test_making_it_opens_nothing(self) -> None:
        """A handler is made wherever a configuration is read, and before a fork: it starts no thread."""
        before = set(threading.enumerate())
        handler = self._handler()
        started = set(threading.enumerate()) - before
        handler.close()
        equal([], [thread.name for thread in started], "threads started by making the handler")

    def test_its_identity_is_stable_and_has_no_secret(self) -> None:
        """It is how a later process finds what is left for this store; it is written down in the spool."""
        first, second = self._handler(), self._handler()
        equal(first.identity, second.identity, "the identity of the same configuration, made twice")
        shown = f"{first.identity!r} {first!r}"
        for name, value in self.config.items():
            if is_secret_name(name) and isinstance(value, str) and len(value) > 3 and value in shown:
                raise AssertionError(f"the option {name!r} is a secret and stands in {first.identity!r}")

    def test_records_are_stored_in_order(self) -> None:
        """Two batches, each answered for, the second after the first."""
        stretch = Stretch()
        with self._destination() as target:
            for batch in (stretch.numbered(0, 20), stretch.numbered(20, 30)):
                all_done(settle(target, batch))
        self._expect(stretch, [f"order {n} placed" for n in range(50)])

    def test_a_batch_that_comes_again_is_no_trouble(self) -> None:
        """After a crash the last batch comes again: nothing is missing, and a copy has the uid of the first."""
        stretch = Stretch()
        batch = stretch.numbered(0, 10)
        with self._destination() as target:
            all_done(settle(target, batch))
        with self._destination() as target:
            all_done(settle(target, copy.deepcopy(batch)))
            all_done(settle(target, stretch.numbered(10, 1)))
        self._expect(stretch, [f"order {n} placed" for n in range(11)])

    def test_odd_records_are_stored_or_refused(self) -> None:
        """Each is stored or goes to the dead letters; none is tried for ever, none keeps others back."""
        stretch = Stretch()
        batch = stretch.batch(hostile())
        with self._destination() as target:
            try:
                outcomes = settle(target, batch)
            except RetryableError as error:
                raise AssertionError(f"one of them would be tried for ever: {error}") from error
            all_done(settle(target, stretch.numbered(0, 1)))
        for frame, outcome in zip(batch.frames, outcomes, strict=True):
            if outcome.verdict is Verdict.RETRY:
                raise AssertionError(
                    f"it would be tried for ever ({outcome.reason}): {frame.payload[:200]!r}"
                )
        self._expect_uids(stretch, uids_of(batch, outcomes))

    def test_one_refused_record_keeps_no_other(self) -> None:
        """Ordinary records around odd ones are all stored."""
        stretch, odd = Stretch(), hostile()
        mixed = [item for n, each in enumerate(odd) for item in (each, (f"plain {n}", {"number": n}))]
        with self._destination() as target:
            outcomes = settle(target, stretch.batch(mixed))
        all_done(outcomes[1::2])

    def test_it_opens_and_closes_at_any_time(self) -> None:
        """Opening is done again after every failure, closing before anything was opened."""
        unopened = self._handler()
        unopened.make_destination().close()
        unopened.close()
        stretch = Stretch()
        with self._destination() as target:
            target.open()
            all_done(settle(target, stretch.numbered(0, 3)))
            target.open()
            target.probe()
            all_done(settle(target, stretch.numbered(3, 3)))
            target.forget(stretch.origin)
        self._expect(stretch, [f"order {n} placed" for n in range(6)])

    def test_an_application_with_a_loop_of_its_own(self) -> None:
        """Delivery happens on a thread beside a running loop, which goes on meanwhile."""
        stretch = Stretch()

        def deliver() -> list[Outcome]:
            with self._destination() as target:
                return settle(target, stretch.numbered(0, 5))

        async def application() -> tuple[list[Outcome], int]:
            work = asyncio.get_running_loop().run_in_executor(None, deliver)
            turns = 0
            while not work.done():
                await asyncio.sleep(0.001)
                turns += 1
            return await work, turns

        outcomes, _ = asyncio.run(application())
        all_done(outcomes)
        self._expect(stretch, [f"order {n} placed" for n in range(5)])

    def test_through_the_whole_pipeline(self) -> None:
        """Four threads log through a queue handler: every record is there, each thread's in its order."""
        with tempfile.TemporaryDirectory(prefix="contract-") as folder:
            handler = self._handler()
            queue = OTelQueueHandler(handlers=[handler], spool={"directory": folder})
            logger = logging.Logger("contract.pipeline", logging.INFO)  # noqa: LOG001 - in nobody's tree
            logger.addHandler(queue)
            run = f"run {wall_ns()}"
            threads = [
                threading.Thread(target=log_numbered, args=(logger, run, n), name=f"contract-{n}")
                for n in range(_THREADS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            is_done, health = queue.flush(PATIENCE), queue.health()
            queue.stop(PATIENCE)
            queue.close()
            handler.close()
        if not is_done:
            raise AssertionError(f"not delivered within {PATIENCE} s: {health}")
        entries = self.stored()
        if entries is None:
            return
        found = once([entry for entry in entries if str(entry["body"]).startswith(run)])
        for n in range(_THREADS):
            wanted = [f"{run} thread {n} record {i}" for i in range(EACH)]
            bodies = [entry["body"] for entry in found if f" thread {n} " in entry["body"]]
            equal(wanted, bodies, f"the records of thread {n}")

    def test_an_outage_loses_nothing(self) -> None:
        """While the store is away it says so, and stores everything, in order, when it is back."""
        outage = self.outage()
        if outage is None:
            raise unittest.SkipTest("the back end has no outage()")
        stretch = Stretch()
        with self._destination() as target:
            all_done(settle(target, stretch.numbered(0, 5)))
            batch = stretch.numbered(5, 5)
            with outage:
                expect_failure(target, batch)
            all_done(settle_when_back(target, batch))
        self._expect(stretch, [f"order {n} placed" for n in range(10)])

    # -- how they do it --------------------------------------------------------------------

    def _handler(self) -> DestinationHandler:
        found = find_backend(self.backend) if isinstance(self.backend, str) else self.backend
        if not isinstance(found, type):
            raise TypeError(f"{type(self).__name__}.backend must be a class or a name, not {found!r}")
        if issubclass(found, DestinationHandler):
            return found(**self.config)
        return BackendHandler(found, self.config)

    @contextmanager
    def _destination(self) -> Any:
        handler = self._handler()
        target = handler.make_destination()
        try:
            target.open()
            yield target
        finally:
            target.close()
            handler.close()

    def _expect(self, stretch: Stretch, bodies: Sequence[str]) -> None:
        found = self._found(stretch)
        if found is not None:
            equal(list(bodies), [entry["body"] for entry in found], "the bodies in the store")

    def _expect_uids(self, stretch: Stretch, wanted: set[str]) -> None:
        found = self._found(stretch)
        if found is not None:
            missing = wanted - {uid_of(entry) for entry in found}
            equal([], sorted(missing), "uids of records answered as stored and not there")

    def _found(self, stretch: Stretch) -> list[Mapping[str, Any]] | None:
        """What is stored of a stretch, each record once, after a look at the copies."""
        entries = self.stored()
        if entries is None:
            return None
        own = [entry for entry in entries if uid_of(entry).startswith(stretch.origin.spool_id)]
        doubled = [uid for uid, count in Counter(map(uid_of, own)).items() if count > 1]
        if self.exactly_once:
            equal([], doubled, "uids that are there more than once")
        return once(own)
