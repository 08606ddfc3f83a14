"""Storing batches in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_stdlib.delivery.abilities import do_nothing
from otel_stdlib.delivery.contract import Batch, Origin, Outcome
from otel_stdlib.facts.counters import Counters
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.facts.identity import Identity
from otel_stdlib.handlers.kafka.options import KafkaOptions
from otel_stdlib.handlers.kafka.plain import PlainSender
from otel_stdlib.handlers.kafka.transaction import TransactionalSender
from otel_stdlib.handlers.renewal import with_new_secrets

__all__ = ["KafkaDestination", "identity_of"]


def identity_of(options: KafkaOptions) -> Identity:
    """The cluster and the topic."""
    return Identity("kafka", f"{','.join(sorted(options.bootstrap_servers))}/{options.topic}")


class KafkaDestination:
    """Produces each record and answers by its delivery report. See ``Destination`` for the contract.

    Args:
        options: see ``KafkaOptions``.
        name: for messages and thread names.
        counters: gets ``producers`` (made), ``sent_alone`` (records tried once more by themselves),
            ``batches_made_smaller``, ``forget_failed``, ``commits_lost`` (the brokers forgot what they had shown).
    """

    def __init__(
        self, options: KafkaOptions, name: str = "kafka", *, counters: Counters | None = None
    ) -> None:
        self.name = name
        self.identity = identity_of(options)
        self.counters = counters or Counters()
        self.options = options
        #: With transactions the brokers keep a position: what is stored out of order would move it.
        self.keeps_position = options.transactional
        #: Messages are made from a table where all go to one topic: see ``message.py``.
        self.renders_tables = options.naming.fixed is not None
        #: Called inside ``deliver`` when the brokers work on a batch: see ``WithMeanwhile``.
        self.meanwhile: Callable[[], None] = do_nothing
        self._sender: PlainSender | TransactionalSender = (
            TransactionalSender(options, self.identity, self.counters, self._wait)
            if options.transactional
            else PlainSender(options, self.counters, self._wait)
        )

    def _renewed_sender(self) -> PlainSender | TransactionalSender:
        """The sender, with the secrets of now: the ones of before may have been refused."""
        options = with_new_secrets(self.options, identity_of)
        if options is not self.options:
            self.options = options
            self._sender.use(options)
        return self._sender

    def _wait(self) -> None:
        self.meanwhile()

    def open(self) -> None:
        """Make the producer where there is none; ask the brokers whether they and the topic are there."""
        self._renewed_sender().open()

    def position(self, origin: Origin) -> int | None:
        """The cursor that was committed with the last transaction; None without transactions."""
        return self._sender.position(origin)

    def lost_from(self, origin: Origin) -> int | None:
        """The end of what brokers have of this spool, behind the last ``position``; None without transactions."""
        return self._sender.lost_from(origin)

    def deliver(self, batch: Batch) -> Sequence[Outcome] | None:
        """Store a batch: an answer for each record comes from its delivery report."""
        return self._sender.deliver(batch)

    def try_out(self, batch: Batch) -> Outcome:
        """Send one record in a transaction that is aborted."""
        if isinstance(self._sender, TransactionalSender):
            return self._sender.try_out(batch)
        raise RetryableError("without transactions a record cannot be tried out")

    def probe(self) -> None:
        """Ask whether brokers answer."""
        self._renewed_sender().probe()

    def forget(self, origin: Origin) -> None:
        """Drop what is kept of an origin, at the brokers too."""
        self._sender.forget(origin)

    def close(self) -> None:
        """End the producer."""
        self._sender.close()
