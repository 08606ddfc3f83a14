"""Handing messages to a producer and waiting for its delivery reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from otel_stdlib.delivery.contract import Origin, Outcome, Verdict
from otel_stdlib.facts.clock import monotonic
from otel_stdlib.facts.errors import RetryableError
from otel_stdlib.handlers.kafka.client import Handle, error_text
from otel_stdlib.handlers.kafka.message import Message, lsn_digits
from otel_stdlib.handlers.kafka.outcome import ALONE, FATAL, TOO_LARGE_HERE, final_outcome

__all__ = [
    "STORED",
    "WAITING",
    "Report",
    "note_in",
    "note_places_in",
    "produce_all",
    "sort_reports",
    "wait_for_reports",
]

#: What is known of a message: an error's name and text, nothing yet, or None: it is stored.
Report = tuple[str, str] | None
#: What librdkafka's client calls with an error, or None, and the message.
OnDelivery = Callable[[Any, Any], None]
WAITING: Final = ("", "")
STORED = Outcome(Verdict.STORED)
#: How often reports are counted while the broker is slow.
_TURN = 0.1
#: How long reports are waited for while no broker can be reached.
_DOWN = 3.0


def note_in(reports: dict[int, Report], origin: Origin) -> OnDelivery:
    """A function that notes the delivery report of any message of an origin.

    One for all of them, which finds the LSN in the message's value: a function for each message that
    is under way costs time to make, and the garbage collector walks over all of them.
    """
    digits = lsn_digits(origin)

    def note(error: Any, message: Any) -> None:
        reports[int(message.value()[digits], 16)] = None if error is None else (error.name(), error.str())

    return note


def note_places_in(
    reports: dict[int, Report], ends: dict[tuple[str, int], int], origin: Origin
) -> OnDelivery:
    """``note_in``; ``ends`` gets, by topic and partition, the offset behind the last message that is stored."""
    note_report = note_in(reports, origin)

    def note(error: Any, message: Any) -> None:
        note_report(error, message)
        if error is None:
            place = (message.topic(), message.partition())
            ends[place] = max(ends.get(place, 0), message.offset() + 1)

    return note


def produce_all(
    handle: Handle,
    found: Iterable[Message],
    reports: dict[int, Report],
    note: OnDelivery,
    deadline: float,
    *,
    stamp: bool = True,
) -> None:
    """Hand messages to the client; ``reports`` gets an entry for each, which ``note`` changes.

    Without ``stamp`` messages get the present time. What cannot be handed over before
    ``deadline`` (monotonic) has no entry.

    Raises:
        PermanentError: a message cannot be made.
        RetryableError: the producer is of no use.
    """
    from confluent_kafka import KafkaException

    produce = handle.producer.produce
    for lsn, topic, value, key, headers, timestamp in found:
        reports[lsn] = WAITING
        while True:
            try:
                # By place: names make the call dearer. -1: the partition by the key.
                produce(topic, value, key, -1, note, None, timestamp if stamp else 0, headers)
            except BufferError:  # as much is in flight as the client's own limits allow
                handle.producer.poll(_TURN)
                if monotonic() < deadline:
                    continue
                del reports[lsn]
                return
            except KafkaException as error:
                name = error.args[0].name()
                if handle.fatal or name in FATAL or error.args[0].fatal():
                    handle.fatal = True
                    raise RetryableError(
                        f"the producer for {handle.where} failed: {error_text(error)}"
                    ) from error
                name = TOO_LARGE_HERE if name == "MSG_SIZE_TOO_LARGE" else name
                reports[lsn] = (name, error.args[0].str())
            break


def wait_for_reports(handle: Handle, reports: dict[int, Report], deadline: float) -> int:
    """Wait until every message has its report, at most until ``deadline``; how many have none.

    Where no broker can be reached it waits for a few seconds only: librdkafka keeps the messages.

    Raises:
        RetryableError: the producer is of no use any more.
    """
    since, before = monotonic(), -1
    while True:
        left = handle.producer.flush(max(0.0, min(_TURN, deadline - monotonic())))
        if handle.fatal:
            raise handle.failure("the producer failed")
        waiting = sum(report is WAITING for report in reports.values()) if left else 0
        now = monotonic()
        if not waiting or waiting < before or not handle.is_down:
            since = now
        if not waiting or waiting < before:
            handle.is_down = False  # a broker answered
        before = waiting
        if not waiting or now >= deadline or now - since >= _DOWN:
            return waiting


def sort_reports(reports: dict[int, Report], *, final: bool) -> tuple[dict[int, Outcome], list[int]]:
    """Outcomes of the messages that have a report, and those to be tried alone (none when ``final``)."""
    outcomes: dict[int, Outcome] = {}
    alone: list[int] = []
    for lsn, report in reports.items():
        if report is None:
            outcomes[lsn] = STORED
        elif report is WAITING:
            continue
        elif report[0] in ALONE and not final:
            alone.append(lsn)
        else:
            outcomes[lsn] = final_outcome(*report)
    return outcomes, alone
